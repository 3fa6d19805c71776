import { readFile } from 'node:fs/promises';

/** A place where a whole file system is mounted. */
export interface Mount {
  /** MAJOR:MINOR of its device. */
  readonly device: string;
  readonly folder: string;
  readonly readOnly: boolean;
}

/** MAJOR:MINOR as the kernel writes it, out of a stat's `rdev` (makedev(3)). */
export function deviceNumbers(rdev: bigint): string {
  const major = ((rdev >> 8n) & 0xfffn) | ((rdev >> 32n) & ~0xfffn);
  const minor = (rdev & 0xffn) | ((rdev >> 12n) & 0xfff00n);
  return `${major}:${minor}`;
}

/** Reads what is mounted; bind mounts of a part of a file system are left out. Format: proc_pid_mountinfo(5). */
export function parseMountinfo(text: string): Mount[] {
  return text.split('\n').flatMap((line) => {
    const [left = '', right = ''] = line.split(' - ');
    const [, , device, root, folder, options = ''] = left.split(' ');
    const [, , superOptions = ''] = right.split(' ');
    if (device === undefined || folder === undefined || root !== '/') return [];
    const readOnly = [options, superOptions].some((list) => list.split(',').includes('ro'));
    const unescaped = folder.replace(/\\([0-7]{3})/g, (_, octal: string) =>
      String.fromCharCode(Number.parseInt(octal, 8)),
    );
    return [{ device, folder: unescaped, readOnly }];
  });
}

/** Finds where a device is mounted in this process's view. */
export async function mountsOf(device: string): Promise<Mount[]> {
  const text = await readFile('/proc/self/mountinfo', 'utf8');
  return parseMountinfo(text).filter((mount) => mount.device === device);
}
