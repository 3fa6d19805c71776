import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { planCards } from '../../../src/factory/rehearse/network-cards.ts';
import type { MachinePlan } from '../../../src/factory/rehearse/qemu-command.ts';
import { openRehearsalLog } from '../../../src/factory/rehearse/rehearsal-log.ts';
import { rehearsePhases, type WantedPhases } from '../../../src/factory/rehearse/rehearse-phases.ts';
import { parseDigest } from '../../../src/oci/digest.ts';
import { tempFolder } from '../../support/temp-folder.ts';
import { type FakeMachine, type FakeStart, fakeQemu } from './fake-qemu.ts';

const BUILD = 'b'.repeat(64);
const CACHE = 'c'.repeat(32);
const IMAGE = { source: 'quay.io/a/b', digest: parseDigest(`sha256:${'0'.repeat(64)}`) };

const SITE = {
  hostname: 'bip',
  clusterName: 'bip',
  domain: 'example.com',
  dns: 'site',
  cache: { mode: 'registry', location: 'usb', keepOnNode: true },
} as const;

function wanted(installed: boolean, stick: 'leave' | 'remove' = 'remove'): WantedPhases {
  const phase = (name: 'live' | 'installed', others: readonly string[], image: string) => ({
    awaited: { phase: name, units: ['edgefab-cache.service'], others },
    expected: {
      phase: name,
      site: SITE,
      buildId: BUILD,
      cacheId: CACHE,
      port: 22_626,
      images: [{ ...IMAGE, requiredBy: [image] }],
    },
  });
  return {
    live: phase('live', [], 'bootstrap: etcd'),
    installed: installed
      ? { ...phase('installed', ['kubelet.service'], 'after the reboot: pod'), stick }
      : undefined,
  };
}

function planIn(folder: string): MachinePlan {
  return {
    name: 'bip',
    memoryMiB: 4096,
    processors: 2,
    accelerator: 'tcg',
    stick: '/stick.iso',
    cacheDisk: '/cache.img',
    target: { path: join(folder, 'target.img'), bus: 'scsi', format: 'raw' },
    startsFrom: 'stick',
    clock: undefined,
    ...planCards({
      interfaces: [{ mac: '28:d2:44:d3:ef:1c', addresses: ['192.168.86.45/24'], dhcp: false }],
      dns: [],
    }),
    uefi: undefined,
    logFolder: folder,
    socketFolder: folder,
  };
}

const UP = ['Linux version 6.1', 'systemd[1]: Switching root.', 'Reached target multi-user.target'];

type Answer = { readonly status: number; readonly output: string } | undefined;

function unitBlocks(command: string, states: Readonly<Record<string, string>>): string {
  const names = command.split(' -- ')[1]?.split(' ') ?? [];
  return names
    .map((name) => {
      const state = states[name] ?? 'active';
      const load = state === 'none' ? 'not-found' : 'loaded';
      return `Id=${name}\nLoadState=${load}\nActiveState=${state}\nSubState=x\nResult=x\nConditionTimestampMonotonic=0\nExecMainExitTimestampMonotonic=0\n`;
    })
    .join('\n');
}

/** A shell of a machine where all is well; `states` of units that are otherwise than active. */
function wellAnswer(command: string, states: Readonly<Record<string, string>> = {}): Answer {
  const good = (output: string): Answer => ({ status: 0, output });
  if (command.startsWith('systemctl show')) return good(unitBlocks(command, states));
  if (command.includes('is-system-running')) return { status: 1, output: '' };
  if (command.startsWith('journalctl')) return good('no disk\n  giving up \u001b\n');
  if (command === 'uname -n') return good('bip\n');
  if (command.includes('/run/edgefab/cache.source'))
    return good(`disk /dev/vdb1\nro,nodev\n{"cacheId":"${CACHE}"}\n`);
  if (command.includes('keep-cache.status')) return good('done - the cache disk may be removed\n');
  if (command.includes('grep -H')) return good('keep-cache.status:done - the cache disk may be removed\n');
  return good(`${BUILD}\n`);
}

const well: FakeStart = { begin: (machine) => machine.say(...UP), answer: (command) => wellAnswer(command) };

/** A live system that is well, and ends in a way of its own once its installer is followed. */
function installing(
  finish: (machine: FakeMachine) => void,
  states: Readonly<Record<string, string>> = {},
): FakeStart {
  return {
    ...well,
    answer: (command, machine) => {
      if (command.includes('bootkube.service')) finish(machine);
      return wellAnswer(command, states);
    },
  };
}

const restarts = installing((machine) => machine.end('guest-reset'));

async function rehearsed(phases: WantedPhases, starts: readonly FakeStart[], timeoutMs = 900_000) {
  const host = fakeQemu(starts);
  const log = openRehearsalLog(() => undefined, host);
  const patience = { timeoutMs, signal: new AbortController().signal };
  const done = await rehearsePhases(planIn(tempFolder()), phases, patience, log, host);
  return {
    args: host.started.map(({ args }) => args.join(' ')),
    checks: log.checks.map(({ phase, name, state }) => `${phase} ${name}: ${state}`),
    details: log.checks.map(({ detail }) => detail).join('\n'),
    moments: log.timeline.map(({ phase, what }) => `${phase} ${what}`),
    phases: log.phases().map(({ phase }) => phase),
    starts: done.map(({ phase }) => phase),
  };
}

const LIVE = [
  'live boot: good',
  'live unit edgefab-cache.service: good',
  'live Ignition applied: good',
  'live host name: good',
  'live cache: good',
  'live registry: good',
  'live image bootstrap: etcd: good',
];
const INSTALLED = [
  'installed boot: good',
  'installed unit edgefab-cache.service: good',
  'installed unit kubelet.service: good',
  'installed Ignition applied: good',
  'installed host name: good',
  'installed cache kept: good',
  'installed cache: good',
  'installed registry: good',
  'installed image after the reboot: pod: good',
];

describe('a rehearsal', () => {
  test('ends before anything is installed unless it is to go on', async () => {
    const { checks, args, phases } = await rehearsed(wanted(false), [well]);
    expect(checks).toEqual(LIVE);
    expect(args).toHaveLength(1);
    expect(phases).toEqual(['live']);
  });

  test('goes on with the disk that was installed to, the stick pulled out', async () => {
    const { checks, args, phases, moments } = await rehearsed(wanted(true), [restarts, well]);
    expect(checks).toEqual([...LIVE, 'live install: good', ...INSTALLED]);
    expect(args[1]).toContain('drive=target,serial=edgefab-target,bootindex=0');
    expect(args[1]).not.toContain('stick');
    expect(args[1]).toContain('id=cache,');
    expect(phases).toEqual(['live', 'installed']);
    expect(moments).toContain('live the live system is up');
    expect(moments).toContain('installed the installed system is up');
  });

  test('the stick is left in where that is asked for', async () => {
    const { args } = await rehearsed(wanted(true, 'leave'), [restarts, well]);
    expect(args[1]).toContain('drive=stick,serial=edgefab-stick,bootindex=1');
  });

  test('a node that starts again for its new system is waited for', async () => {
    const firstBoot: FakeStart = {
      ...well,
      answer: (command, machine) => {
        if (command === 'uname -n') machine.end('guest-reset');
        return wellAnswer(command);
      },
    };
    const { checks, starts } = await rehearsed(wanted(true), [restarts, firstBoot, well]);
    expect(checks).toEqual([...LIVE, 'live install: good', ...INSTALLED]);
    expect(starts).toEqual(['live', 'installed', 'installed']);
  });

  test('a cache that is being copied is waited for', async () => {
    let asked = 0;
    const copying: FakeStart = {
      ...well,
      answer: (command) => {
        if (!command.includes('grep -H')) return wellAnswer(command);
        asked += 1;
        const state = asked < 3 ? 'copying' : 'done';
        return { status: 0, output: `keep-cache.status:${state} - so\n` };
      },
    };
    expect((await rehearsed(wanted(true), [restarts, copying])).checks.slice(-9)).toEqual(INSTALLED);
    expect(asked).toBe(3);
  });

  test('a node without a kubelet of its own is at rest without', async () => {
    const states = { 'kubelet.service': 'none' };
    const bare: FakeStart = { ...well, answer: (command) => wellAnswer(command, states) };
    const { checks } = await rehearsed(wanted(true), [restarts, bare]);
    expect(checks.slice(-8)).toEqual(INSTALLED.filter((line) => !line.includes('kubelet')));
  });

  test('what the machine was not asked before it went on by itself is left out', async () => {
    const hasty: FakeStart = {
      ...well,
      answer: (command, machine) => {
        if (!command.startsWith('curl')) return wellAnswer(command);
        machine.end('guest-reset');
        return undefined;
      },
    };
    const { checks, moments } = await rehearsed(wanted(true), [hasty, well]);
    expect(checks).toEqual([...LIVE.slice(0, 5), 'live install: good', ...INSTALLED]);
    expect(moments).toContain('live the machine goes on by itself: 2 checks were not made');
  });
});

test('a part that waits for a person ends it, though others try for ever', async () => {
  const missing: FakeStart = {
    ...well,
    answer: (command) => {
      if (command.includes('grep -H'))
        return { status: 0, output: 'cache.status:stopped - no partition labelled edgefab: plug it in\n' };
      const states = { 'edgefab-cache.service': 'failed', 'edgefab-registry.service': 'activating' };
      return wellAnswer(command, states);
    },
  };
  const phases = wanted(false);
  const units = ['edgefab-cache.service', 'edgefab-registry.service'];
  const live = { ...phases.live, awaited: { ...phases.live.awaited, units } };
  const { checks, details } = await rehearsed({ ...phases, live }, [missing]);
  expect(checks).toContain('live boot: failed');
  expect(details).toContain('the machine waits for a person: cache: stopped - no partition labelled edgefab');
});

describe('an install that does not go well', () => {
  test.each([
    [
      'its unit fails',
      installing(() => undefined, { 'install-to-disk.service': 'failed' }),
      'install-to-disk.service: failed (x), x; its journal ends: no disk | giving up ?',
    ],
    [
      'the machine switches itself off',
      installing((machine) => machine.end('guest-shutdown')),
      'the machine switched itself off',
    ],
    [
      'the kernel panics',
      installing((machine) => machine.say('Kernel panic - not syncing: no init')),
      'the console says: Kernel panic - not syncing: no init',
    ],
    [
      'it takes too long',
      installing(() => undefined, { 'install-to-disk.service': 'activating' }),
      'not done in time: install-to-disk.service activating (x), x',
    ],
  ])('%s', async (_, start, detail) => {
    const { checks, details, starts } = await rehearsed(wanted(true), [start], 120_000);
    expect(checks).toEqual([...LIVE, 'live install: failed']);
    expect(details).toContain(detail);
    expect(starts).toEqual(['live']);
  });

  test('nothing is installed where the live system is not as it should be', async () => {
    const other: FakeStart = {
      ...well,
      answer: (command) =>
        command === 'uname -n' ? { status: 0, output: 'localhost\n' } : wellAnswer(command),
    };
    const { checks, starts } = await rehearsed(wanted(true), [other]);
    expect(checks).toContain('live host name: failed');
    expect(starts).toEqual(['live']);
  });
});

describe('an installed system', () => {
  test('that has neither console nor shell is unknown, not good', async () => {
    const silent: FakeStart = { begin: () => undefined, answer: () => undefined };
    const { checks, details } = await rehearsed(wanted(true), [restarts, silent], 200_000);
    expect(checks.at(-1)).toBe('installed boot: unknown');
    expect(details).toContain('no shell on the second serial port, and its console says nothing');
  });

  test('with a shell and a silent console is looked at', async () => {
    const silent: FakeStart = { ...well, begin: () => undefined };
    const { checks } = await rehearsed(wanted(true), [restarts, silent]);
    expect(checks.slice(-9)).toEqual(INSTALLED);
  });

  test('that cannot be started from its disk is told', async () => {
    const nothing: FakeStart = {
      begin: (machine) => machine.say('Not starting because there is No bootable device.'),
      answer: () => undefined,
    };
    const { checks, details } = await rehearsed(wanted(true), [restarts, nothing]);
    expect(checks.at(-1)).toBe('installed boot: failed');
    expect(details).toContain('No bootable device');
  });

  test('that starts again and again is given up', async () => {
    const looping: FakeStart = {
      begin: (machine) => {
        machine.say('Linux version 6.1');
        machine.end('guest-reset');
      },
      answer: () => undefined,
    };
    const { checks, starts } = await rehearsed(wanted(true), [restarts, ...Array(6).fill(looping)]);
    expect(checks.at(-1)).toBe('installed boot: failed');
    expect(starts).toHaveLength(7);
  });
});
