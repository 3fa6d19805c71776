import { execFileSync } from 'node:child_process';
import { defineConfig } from 'vitest/config';

/** What every run of CI boots: what the others stand on. */
const ALWAYS = ['clock-and-second-card', 'node-image-4.21', 'preload-4.13', 'wrong-label'];
/** Of these one, in turn with the commits: all together would take longer than anybody waits. */
const IN_TURN = ['registry-4.13', 'damaged-blob'];

/** A scene's name, or a number to pick by; else the number of commits picks. */
function inTurn(): string[] {
  const wish = process.env.EDGEFAB_SCENE ?? commits();
  return [IN_TURN[Number(wish) % IN_TURN.length] ?? wish];
}

function commits(): string {
  try {
    return execFileSync('git', ['rev-list', '--count', 'HEAD'], { encoding: 'utf8' }).trim();
  } catch {
    // Not a checkout, or one without its past.
    return '0';
  }
}

/** What CI boots in virtual machines, one at a time; `npm run test:long` boots all there are. */
export default defineConfig({
  test: {
    include: [...ALWAYS, ...inTurn()].map((scene) => `test/long/scenes/${scene}.test.ts`),
    testTimeout: 600_000,
    hookTimeout: 600_000,
    globalSetup: ['test/support/build-once.ts'],
    fileParallelism: false,
  },
});
