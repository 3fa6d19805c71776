import { execFileSync, spawnSync } from 'node:child_process';
import { mkdtempSync, readdirSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { onTestFinished } from 'vitest';

export interface WholeDisk {
  readonly device: string;
  /** The sparse file behind it. */
  readonly image: string;
  readonly sizeBytes: number;
  readonly sectorBytes: number;
}

/** Makes an empty disk: a loop device with the given logical sectors over a sparse file; gone when the test is over. */
export function makeWholeDisk(sizeBytes: number, sectorBytes: 512 | 4096): WholeDisk {
  const folder = mkdtempSync(join(tmpdir(), 'edgefab-whole-'));
  const image = join(folder, 'disk.img');
  writeFileSync(image, '');
  truncateSync(image, sizeBytes);
  const device = execFileSync('losetup', ['-f', '--show', '--sector-size', String(sectorBytes), image], {
    encoding: 'utf8',
  }).trim();
  onTestFinished(() => {
    spawnSync('umount', ['-A', device], { stdio: 'ignore' });
    // The kernel keeps partitions it was told of, whatever the loop device is used for next.
    const { length } = readdirSync(join('/sys/class/block', basename(device))).filter((name) =>
      name.startsWith(`${basename(device)}p`),
    );
    if (length > 0) spawnSync('partx', ['-d', device], { stdio: 'ignore' });
    execFileSync('losetup', ['-d', device]);
    rmSync(folder, { recursive: true, force: true });
  });
  return { device, image, sizeBytes, sectorBytes };
}
