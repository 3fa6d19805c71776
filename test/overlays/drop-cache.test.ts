import { execFileSync, spawnSync } from 'node:child_process';
import { closeSync, constants, mkdirSync, openSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { makeLoopDevice } from '../support/loop-disk.ts';
import { canMount } from '../support/small-disk.ts';
import { type StandIns, standIns } from '../support/stand-ins.ts';
import { tempFolder } from '../support/temp-folder.ts';
import { haveTools } from '../support/tools.ts';

const TOOLS = ['mkfs.xfs', 'wipefs', 'blkid', 'findmnt'];
const ready = canMount && haveTools(...TOOLS);
const SECRETS = 'etc/kubernetes/bootstrap-secrets/kubeconfig';
const ENCAPSULATED = 'etc/ignition-machine-config-encapsulated.json';

interface Node {
  readonly root: string;
  readonly device: string;
  readonly programs: StandIns;
  readonly env: Record<string, string>;
}

/** An installed node that serves its cache from a mounted partition, and whose install is complete. */
function node(label = 'edgefab-node'): Node {
  const root = tempFolder();
  const device = makeLoopDevice(['mkfs.xfs', '-q', '-f']);
  const mountPoint = join(root, 'run/cache');
  mkdirSync(mountPoint, { recursive: true });
  execFileSync('mount', ['-o', 'ro', device, mountPoint]);
  const programs = standIns();
  systemctl(programs, ['kubelet.service']);
  programs.add('edgefab-cache.sh', `umount '${mountPoint}'`);
  // Loop devices have no entry in a partition table.
  programs.add(
    'blkid',
    `[[ "$*" == *PART_ENTRY_NAME* ]] && { echo '${label}'; exit; }\nexec /usr/sbin/blkid "$@"`,
  );
  const env = {
    PATH: programs.path,
    EDGEFAB_ROOT: root,
    EDGEFAB_RUN: join(root, 'run'),
    EDGEFAB_CACHE_SCRIPT: 'edgefab-cache.sh',
    EDGEFAB_LOCATION: 'installDisk',
    EDGEFAB_LABEL: 'edgefab-node',
    EDGEFAB_POLL_SECONDS: '0',
    EDGEFAB_POLLS: '3',
  };
  return { root, device, programs, env };
}

function systemctl(programs: StandIns, active: readonly string[]): void {
  programs.add('systemctl', `[[ $1 != --quiet || " ${active.join(' ')} " == *" $3 "* ]]`);
}

function drop(on: Node, settings: Record<string, string> = {}): { status: number | null; said: string } {
  const { status } = spawnSync('bash', ['overlays/scripts/edgefab-drop-cache.sh'], {
    encoding: 'utf8',
    env: { ...on.env, ...settings },
  });
  return { status, said: readFileSync(join(on.root, 'run/drop-cache.status'), 'utf8').trim() };
}

const put = (on: Node, path: string): void => {
  mkdirSync(dirname(join(on.root, path)), { recursive: true });
  writeFileSync(join(on.root, path), '');
};
const mounted = (on: Node): boolean => readFileSync('/proc/mounts', 'utf8').includes(`${on.device} `);
const signature = (on: Node): string =>
  spawnSync('/usr/sbin/blkid', ['-p', '-s', 'TYPE', '-o', 'value', on.device], {
    encoding: 'utf8',
  }).stdout.trim();
const stops = (on: Node): string[] => on.programs.calls().filter((call) => call.includes(' stop '));

describe.skipIf(!ready)(`edgefab-drop-cache.sh (needs root, a loop device and ${TOOLS.join(', ')})`, () => {
  test.each([
    ['before the first restart', [ENCAPSULATED, SECRETS], ['kubelet.service']],
    ['before the cluster is available', [SECRETS], ['kubelet.service', 'bootkube.service']],
    ['while bootkube cleans up', [], ['kubelet.service', 'bootkube.service']],
    ['while kubelet is down', [], []],
  ])('waits %s', (_name, files, active) => {
    const on = node();
    for (const file of files) put(on, file);
    systemctl(on.programs, active);
    expect(drop(on)).toEqual({
      status: 3,
      said: 'waiting - the install is not complete yet: the registry serves, leave the cache where it is',
    });
    expect([mounted(on), signature(on), stops(on)]).toEqual([true, 'xfs', []]);
  });

  test('once the install is complete the partition is blank and the registry stays shut', () => {
    const on = node();
    const first = drop(on);
    expect(first.status).toBe(0);
    expect(first.said).toMatch(new RegExp(`^done - the install is complete, .* ${on.device} is empty`));
    expect(first.said).toContain('its entry in the partition table stays');
    expect([mounted(on), signature(on)]).toEqual([false, '']);
    expect(stops(on)).toEqual(['systemctl stop edgefab-registry.service']);
    // What the drop-in of registry and cache looks for.
    expect(readFileSync(join(on.root, 'var/lib/edgefab/cache.released'), 'utf8')).toBe('emptied\n');
    // At the next start nothing is waited for, and what someone else put there since stays.
    execFileSync('mkfs.ext4', ['-q', '-F', on.device]);
    const again = drop(on, { EDGEFAB_POLLS: '1' });
    expect(again).toEqual({ status: 0, said: expect.stringContaining('the cache partition was emptied') });
    expect(signature(on)).toBe('ext4');
  });

  test('a partition that holds something else by now is left alone', () => {
    const on = node();
    execFileSync('umount', [join(on.root, 'run/cache')]);
    on.programs.add('edgefab-cache.sh');
    mkdirSync(join(on.root, 'var/lib/edgefab'), { recursive: true });
    writeFileSync(join(on.root, 'var/lib/edgefab/cache.released'), `${on.device}\n`);
    execFileSync('mkfs.ext4', ['-q', '-F', on.device]);
    expect(drop(on)).toEqual({ status: 1, said: expect.stringContaining('holds ext4 and no cache') });
    expect(signature(on)).toBe('ext4');
  });

  test('a cache disk keeps its content and may be removed', () => {
    const on = node();
    expect(drop(on, { EDGEFAB_LOCATION: 'usb' })).toEqual({
      status: 0,
      said: expect.stringContaining('the cache disk may be removed'),
    });
    expect([mounted(on), signature(on)]).toEqual([false, 'xfs']);
  });

  test('a partition that something holds is not emptied, and is at the next try', () => {
    const on = node();
    execFileSync('umount', [join(on.root, 'run/cache')]);
    mkdirSync(join(on.root, 'var/lib/edgefab'), { recursive: true });
    writeFileSync(join(on.root, 'var/lib/edgefab/cache.released'), `${on.device}\n`);
    on.programs.add('edgefab-cache.sh');
    const file = openSync(on.device, constants.O_RDONLY | constants.O_EXCL);
    expect(drop(on)).toEqual({ status: 1, said: expect.stringContaining(`${on.device} is in use`) });
    expect(signature(on)).toBe('xfs');
    closeSync(file);
    expect(drop(on).status).toBe(0);
    expect(signature(on)).toBe('');
  });

  test('a partition with another label is left alone', () => {
    const on = node('root');
    expect(drop(on)).toEqual({
      status: 1,
      said: expect.stringContaining('carries the label "root" and not edgefab-node'),
    });
    expect(signature(on)).toBe('xfs');
  });

  test('a mount that does not go is said', () => {
    const on = node();
    on.programs.add('edgefab-cache.sh', 'exit 1');
    expect(drop(on)).toEqual({ status: 1, said: expect.stringContaining('still mounted') });
    expect(signature(on)).toBe('xfs');
  });
});
