import { execFileSync, spawnSync } from 'node:child_process';
import { closeSync, ftruncateSync, mkdirSync, openSync, rmSync } from 'node:fs';
import { join } from 'node:path';

/** A file system made for a bench, mounted at `folder`. */
export interface LoopFileSystem {
  readonly folder: string;
  /** Of all files on it, as df counts, after all of them are on the disk. */
  usedKiB(): number;
  close(): void;
}

/** Why no file system can be mounted here; undefined where one can. */
export function mountProblem(): string | undefined {
  if (process.getuid?.() !== 0) return 'mounting a file system needs root';
  return spawnSync('losetup', ['-f'], { stdio: 'ignore' }).status === 0
    ? undefined
    : 'there is no loop device';
}

/** Makes a file system in a sparse file and mounts it. */
export function openLoopFileSystem(
  within: string,
  name: string,
  mkfs: readonly string[],
  sizeGiB: number,
): LoopFileSystem {
  const image = join(within, `${name}.img`);
  const folder = join(within, name);
  const file = openSync(image, 'w');
  ftruncateSync(file, sizeGiB * 1024 ** 3);
  closeSync(file);
  mkdirSync(folder);
  const [program = '', ...args] = mkfs;
  execFileSync(program, [...args, image]);
  execFileSync('mount', ['-o', 'loop', image, folder]);
  return {
    folder,
    usedKiB: () => {
      execFileSync('sync', ['-f', folder]);
      const text = execFileSync('df', ['--output=used', '-k', folder], { encoding: 'utf8' });
      return Number(text.split('\n')[1]);
    },
    close: () => {
      // The loop device goes with it (losetup(8), autoclear).
      execFileSync('umount', [folder]);
      rmSync(image);
    },
  };
}
