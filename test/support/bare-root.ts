import { execFileSync, spawn, spawnSync } from 'node:child_process';
import { copyFileSync, linkSync, mkdirSync, mkdtempSync, realpathSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import type { Finished } from './run-edgefab.ts';

/** Whether this machine lets a test mount things that only it sees. */
export const CAN_MOUNT_PRIVATELY =
  spawnSync('unshare', ['--mount', 'mount', '-t', 'tmpfs', 'none', '/mnt'], { stdio: 'ignore' }).status === 0;

/** A root file system with a program and the libraries it is linked with, and nothing else: no shell, no Node. */
export interface BareRoot {
  /** A folder of this machine that the program sees as `/data`, the only one it can write to. */
  readonly work: string;
  run(args: readonly string[], env?: Readonly<Record<string, string>>): Promise<Finished>;
  close(): void;
}

// Read-only like the live system's /usr; kernel files as every Linux has them.
const ENTER = `
set -e
root=$1 work=$2
shift 2
mount --bind "$root" "$root"
mount -t proc none "$root/proc"
mount --rbind /dev "$root/dev"
mount --rbind /sys "$root/sys"
mount -t tmpfs none "$root/run"
mount --bind "$work" "$root/data"
mount -o remount,bind,ro "$root"
exec env -i $EDGEFAB_TEST_ENV "$(command -v chroot)" "$root" /edgefab "$@"
`;

/**
 * Makes a root for a dynamically linked program, which is called /edgefab there; `tools` are programs of this machine,
 * by name, that it finds in /bin.
 */
export function makeBareRoot(program: string, tools: readonly string[] = []): BareRoot {
  const folder = mkdtempSync(join(tmpdir(), 'edgefab-root-'));
  const root = join(folder, 'root');
  const work = join(folder, 'work');
  for (const path of [
    work,
    ...['proc', 'sys', 'dev', 'run', 'data', 'tmp', 'bin'].map((name) => join(root, name)),
  ])
    mkdirSync(path, { recursive: true });
  copyWithLibraries(root, program, '/edgefab');
  for (const tool of tools) {
    const path = execFileSync('sh', ['-c', `command -v ${tool}`], { encoding: 'utf8' }).trim();
    copyWithLibraries(root, path, join('/bin', tool));
  }
  return {
    work,
    run: (args, env = {}) =>
      new Promise((resolve, reject) => {
        const pairs = Object.entries({ PATH: '/bin', ...env }).map(([name, value]) => `${name}=${value}`);
        const child = spawn(
          'unshare',
          [
            '--mount',
            '--pid',
            '--fork',
            '--kill-child',
            '--propagation',
            'private',
            'sh',
            '-c',
            ENTER,
            'sh',
          ].concat(root, work, args),
          {
            env: { PATH: process.env.PATH, EDGEFAB_TEST_ENV: pairs.join(' ') },
            stdio: ['ignore', 'pipe', 'pipe'],
          },
        );
        let stdout = '';
        let stderr = '';
        child.stdout.setEncoding('utf8').on('data', (text) => (stdout += text));
        child.stderr.setEncoding('utf8').on('data', (text) => (stderr += text));
        child.on('error', reject);
        child.on('close', (status) => resolve({ status: status ?? -1, stdout, stderr }));
      }),
    close: () => rmSync(folder, { recursive: true, force: true }),
  };
}

/** Puts a program of this machine, under a name of its own, and all it is linked with into another root. */
export function copyWithLibraries(root: string, program: string, name = program): void {
  // "libm.so.6 => /lib/x86_64-linux-gnu/libm.so.6 (0x…)", and the loader without an arrow.
  const linked = execFileSync('ldd', [program], { encoding: 'utf8' }).matchAll(
    /^\t(?:\S+ => )?(\/\S+) \(0x/gm,
  );
  for (const [, library = ''] of linked) {
    mkdirSync(join(root, dirname(library)), { recursive: true });
    copyFileSync(library, join(root, library));
  }
  place(program, join(root, name));
}

/** A link where both are on one file system: the program is large. */
function place(from: string, to: string): void {
  try {
    linkSync(realpathSync(from), to);
  } catch {
    copyFileSync(from, to);
  }
}
