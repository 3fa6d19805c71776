import { readFile } from 'node:fs/promises';

/** Where a machine shows its devices; a test shows others. */
export interface MachineRoots {
  readonly sys: string;
  readonly proc: string;
  readonly dev: string;
  /** udev keeps what it knows under `udev/data` there. */
  readonly run: string;
}

export const MACHINE_ROOTS: MachineRoots = { sys: '/sys', proc: '/proc', dev: '/dev', run: '/run' };

/** Reads one attribute of the kernel's, without the spaces around it. Undefined where it is absent, empty or not to be read. */
export async function readAttribute(path: string): Promise<string | undefined> {
  const text = (await readFile(path, 'utf8').catch(() => '')).trim();
  return text === '' ? undefined : text;
}
