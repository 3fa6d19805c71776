import { execFileSync } from 'node:child_process';
import { defineConfig } from 'vitest/config';

/** What every run of CI boots: each start of a machine takes minutes, so a scene tries all that goes together. */
const ALWAYS = ['whole-way-usb', 'whole-way-install-disk'];
/** Of these one, in turn with the commits: with both, the whole comes close to CI's 25 minutes. */
const IN_TURN = ['damaged-blob', 'preload-4.13'];

/** `EDGEFAB_SCENES=all` has all of them; else the number of commits picks. */
function inTurn(): string[] {
  if (process.env.EDGEFAB_SCENES === 'all') return IN_TURN;
  const picked = IN_TURN[commits() % IN_TURN.length];
  return picked === undefined ? [] : [picked];
}

function commits(): number {
  try {
    return Number(execFileSync('git', ['rev-list', '--count', 'HEAD'], { encoding: 'utf8' }));
  } catch {
    // Not a checkout, or one without its past.
    return 0;
  }
}

/** What CI boots in virtual machines, two at a time, as one leaves much of a second core; `npm run test:long` boots all there are. */
export default defineConfig({
  test: {
    include: [...ALWAYS, ...inTurn()].map((scene) => `test/long/scenes/${scene}.test.ts`),
    testTimeout: 600_000,
    hookTimeout: 600_000,
    globalSetup: ['test/support/build-once.ts'],
    maxWorkers: 2,
  },
});
