import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { tempFolder } from './temp-folder.ts';

/** Programs that stand in for those of a machine, found first on PATH, and what they were called with. */
export interface StandIns {
  readonly path: string;
  /** Puts a program there: a line of its name and arguments is kept, then the bash text runs. */
  add(name: string, text?: string): string;
  calls(): string[];
}

/** Makes a folder of stand-ins, gone when the test is over. */
export function standIns(): StandIns {
  const folder = tempFolder();
  const bin = join(folder, 'bin');
  const log = join(folder, 'calls');
  mkdirSync(bin);
  return {
    path: `${bin}:${process.env.PATH ?? ''}`,
    add(name, text = '') {
      const file = join(bin, name);
      writeFileSync(file, `#!/bin/bash\necho "${name} $*" >>'${log}'\n${text}\n`, { mode: 0o755 });
      return file;
    },
    calls: () => (existsSync(log) ? readFileSync(log, 'utf8').trim().split('\n') : []),
  };
}
