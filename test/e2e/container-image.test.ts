import { execFileSync } from 'node:child_process';
import {
  chownSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { CAN_MOUNT_PRIVATELY, copyWithLibraries } from '../support/bare-root.ts';
import { builtExecutable, IS_BUILDABLE } from '../support/built-executable.ts';
import { haveTools } from '../support/tools.ts';

const TOOLS = ['podman', 'runc', 'ldd', 'tar', 'unshare'] as const;
const ready = IS_BUILDABLE && haveTools(...TOOLS) && CAN_MOUNT_PRIVATELY;
const skipped = ready ? '' : ` (SKIPPED: needs root, npm run build:wasm, ${TOOLS.join(', ')}, on x86_64)`;
const version = (JSON.parse(readFileSync('package.json', 'utf8')) as { readonly version: string }).version;

/** The user of the image. */
const USER = 65_532;
// What this sandbox wants of podman: no limits above what is allowed here, runc, as crun takes no mixed cgroups.
const CONTAINERS_CONF = `[containers]
default_ulimits = ["nofile=1024:1024", "nproc=1024:1024"]
pids_limit = 0
[engine]
runtime = "runc"
cgroup_manager = "cgroupfs"
events_logger = "none"
`;

describe.skipIf(!ready)(`the container image, on a base made of this machine's libraries${skipped}`, () => {
  let folder: string;
  const podman = (args: readonly string[], before: readonly string[] = []): string => {
    const store = [
      '--root',
      join(folder, 'root'),
      '--runroot',
      join(folder, 'run'),
      '--storage-driver',
      'vfs',
    ];
    const [program = '', ...rest] = [...before, 'podman', ...store, ...args];
    return execFileSync(program, rest, {
      encoding: 'utf8',
      stdio: 'pipe',
      env: { ...process.env, CONTAINERS_CONF: join(folder, 'containers.conf') },
    });
  };

  beforeAll(() => {
    folder = mkdtempSync(join(tmpdir(), 'edgefab-image-'));
    writeFileSync(join(folder, 'containers.conf'), CONTAINERS_CONF);
    const base = join(folder, 'base');
    for (const name of ['bin', 'lib', 'lib64']) {
      mkdirSync(join(base, 'usr', name), { recursive: true });
      symlinkSync(`usr/${name}`, join(base, name));
    }
    copyWithLibraries(base, '/bin/sh');
    copyWithLibraries(base, builtExecutable(), '/unused');
    rmSync(join(base, 'unused'));
    execFileSync('tar', ['-C', base, '-cf', join(folder, 'base.tar'), '.']);
    podman(['import', '--quiet', join(folder, 'base.tar'), 'localhost/edgefab-test-base']);
    const build = ['build', '--quiet', '--pull-never', '--isolation', 'chroot', '--network', 'host'];
    const values = ['BASE=localhost/edgefab-test-base', `EXECUTABLE=${builtExecutable()}`];
    const args = values.flatMap((value) => ['--build-arg', value]);
    // The host's network, and the host has none.
    podman([...build, ...args, '-t', 'localhost/edgefab-test', '.'], ['unshare', '--net']);
  }, 180_000);
  afterAll(() => rmSync(folder, { recursive: true, force: true }));

  const run = (args: readonly string[], flags: readonly string[] = []): string =>
    podman(['run', '--rm', '--network', 'none', ...flags, 'localhost/edgefab-test', ...args]);

  test('runs as a user that is nobody, and says which edgefab it is', () => {
    expect(run(['--version'])).toContain(`edgefab/${version} linux-x64`);
    expect(run([])).toContain('precache');
  });

  test('runs the demo with a root it cannot write to, and what it makes is the user’s', () => {
    const work = join(folder, 'work');
    mkdirSync(work);
    chownSync(work, USER, USER);
    const flags = ['--read-only', '--cap-drop=all', '--volume', `${work}:/data`];
    expect(run(['demo', '/data/demo'], flags)).toContain('Built in');
    expect(run(['cache', 'verify', '/data/demo/cache'], flags)).toContain(
      'every byte is what it claims to be',
    );
    expect(statSync(join(work, 'demo', 'cache')).uid).toBe(USER);
  });

  test('holds nothing of the checkout but the program', () => {
    const [image] = JSON.parse(podman(['image', 'inspect', 'localhost/edgefab-test'])) as [
      { readonly User: string; readonly Size: number },
    ];
    expect(image.User).toBe(`${USER}:${USER}`);
    expect(image.Size).toBeLessThan(statSync(builtExecutable()).size + 10_000_000);
  });
});
