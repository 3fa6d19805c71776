import { execFileSync, spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { onTestFinished } from 'vitest';

export interface BlankLoop {
  readonly device: string;
  /** The file it is made of. */
  readonly image: string;
}

/** Makes a loop device of zeros, the size of a small stick; gone when the test is over, with what is mounted from it. */
export function makeBlankLoop(
  sizeBytes: number,
  options: readonly string[] = [],
  folder?: string,
): BlankLoop {
  const own = mkdtempSync(join(folder ?? tmpdir(), 'edgefab-stick-'));
  const image = join(own, 'stick.img');
  writeFileSync(image, '');
  truncateSync(image, sizeBytes);
  const device = attachAgain(image, options);
  onTestFinished(() => rmSync(own, { recursive: true, force: true }));
  return { device, image };
}

/** Makes one more loop device of a file or of another device; detached when the test is over. */
export function attachAgain(image: string, options: readonly string[] = []): string {
  const device = execFileSync('losetup', ['-f', '--show', ...options, image], { encoding: 'utf8' }).trim();
  onTestFinished(() => {
    spawnSync('umount', ['-A', device], { stdio: 'ignore' });
    execFileSync('losetup', ['-d', device]);
  });
  return device;
}
