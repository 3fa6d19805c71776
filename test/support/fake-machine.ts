import { mkdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import type { MachineRoots } from '../../src/disk/device/machine-roots.ts';
import { tempFolder } from './temp-folder.ts';

export interface FakeMachine {
  /** Attributes by their path under /sys/class/block, `sda/holders/dm-0`; an empty one is a folder. */
  readonly sys?: Readonly<Record<string, string>>;
  /** Of /sys/fs. */
  readonly fs?: Readonly<Record<string, string>>;
  readonly mountinfo?: readonly string[];
  readonly swaps?: readonly string[];
  /** What udev knows, by MAJOR:MINOR. */
  readonly udev?: Readonly<Record<string, string>>;
  /** Links under /dev/disk, `by-id/usb-x`, and where they lead. */
  readonly links?: Readonly<Record<string, string>>;
}

function put(root: string, files: Readonly<Record<string, string>>): void {
  for (const [path, text] of Object.entries(files)) {
    const file = join(root, path);
    mkdirSync(text === '' ? file : dirname(file), { recursive: true });
    if (text !== '') writeFileSync(file, `${text}\n`);
  }
}

/** Makes folders that show other devices than this machine has; gone when the test is over. */
export function fakeMachine(made: FakeMachine): MachineRoots {
  const root = tempFolder();
  const [sys, proc, dev, run] = ['sys', 'proc', 'dev', 'run'].map((name) => join(root, name));
  const roots = { sys: sys ?? '', proc: proc ?? '', dev: dev ?? '', run: run ?? '' };
  put(join(roots.sys, 'class/block'), made.sys ?? {});
  put(join(roots.sys, 'fs'), made.fs ?? {});
  const udev = Object.entries(made.udev ?? {}).map(([key, text]) => [`udev/data/b${key}`, text]);
  put(roots.run, Object.fromEntries(udev));
  put(roots.proc, {
    'self/mountinfo': (made.mountinfo ?? []).join('\n'),
    swaps: ['Filename Type Size Used Priority', ...(made.swaps ?? [])].join('\n'),
  });
  for (const [link, target] of Object.entries(made.links ?? {})) {
    mkdirSync(dirname(join(roots.dev, 'disk', link)), { recursive: true });
    symlinkSync(target, join(roots.dev, 'disk', link));
  }
  return roots;
}

/** The attributes that make a real loop device a disk of another name: its numbers, its size, and a queue. */
export function disguise(device: string, name: string): Record<string, string> {
  const real = (path: string): string =>
    readFileSync(join('/sys/class/block', basename(device), path), 'utf8').trim();
  return {
    [`${name}/dev`]: real('dev'),
    [`${name}/size`]: real('size'),
    [`${name}/ro`]: real('ro'),
    [`${name}/queue/logical_block_size`]: '512',
  };
}
