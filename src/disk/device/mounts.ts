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

/** A line of mountinfo: bind mounts of a part of a file system are among them. */
export interface MountEntry extends Mount {
  /** The folder of the file system that is seen; `/` for all of it. */
  readonly root: string;
  readonly type: string;
  /** What was mounted: the path of a device, or a word. */
  readonly source: string;
}

/** Undoes the octal escapes of the tables in /proc. */
export function unescapeOctal(text: string): string {
  return text.replace(/\\([0-7]{3})/g, (_, octal: string) => String.fromCharCode(Number.parseInt(octal, 8)));
}

/** Reads every mount there is. Format: proc_pid_mountinfo(5). */
export function parseMountEntries(text: string): MountEntry[] {
  return text.split('\n').flatMap((line) => {
    const [left = '', right = ''] = line.split(' - ');
    const [, , device, root, folder, options = ''] = left.split(' ');
    const [type = '', source = '', superOptions = ''] = right.split(' ');
    if (device === undefined || root === undefined || folder === undefined) return [];
    const readOnly = [options, superOptions].some((list) => list.split(',').includes('ro'));
    return [
      {
        device,
        folder: unescapeOctal(folder),
        readOnly,
        root: unescapeOctal(root),
        type,
        source: unescapeOctal(source),
      },
    ];
  });
}

/** Reads where whole file systems are mounted; bind mounts of a part of one are left out. */
export function parseMountinfo(text: string): Mount[] {
  return parseMountEntries(text).flatMap(({ device, folder, readOnly, root }) =>
    root === '/' ? [{ device, folder, readOnly }] : [],
  );
}

/** Finds where a device is mounted in this process's view. */
export async function mountsOf(device: string): Promise<Mount[]> {
  const text = await readFile('/proc/self/mountinfo', 'utf8');
  return parseMountinfo(text).filter((mount) => mount.device === device);
}
