import { describe, expect, test } from 'vitest';
import { parse as parseYaml } from 'yaml';
import { diffIgnition } from '../../../src/boot/ignition/diff-ignition.ts';
import { fileText } from '../../../src/boot/ignition/file-contents.ts';
import type { Ignition } from '../../../src/boot/ignition/ignition.ts';
import { parseIgnitionText, serializeIgnition } from '../../../src/boot/ignition/parse-ignition.ts';
import { keepCacheStep } from '../../../src/boot/patch/keep-cache.ts';
import { localDnsStep } from '../../../src/boot/patch/local-dns.ts';
import { loadOverlays } from '../../../src/boot/patch/overlay.ts';
import { reinstallGuardStep } from '../../../src/boot/patch/reinstall-guard.ts';
import { releaseCacheStep } from '../../../src/boot/patch/release-cache.ts';
import { buildIdOf, SITE_FILE } from '../../../src/boot/patch/site-settings.ts';
import { statusLineStep } from '../../../src/boot/patch/status-line.ts';
import { applyStep, type Step } from '../../../src/boot/patch/step.ts';
import { bipIgnition, type DemoLine } from '../../support/bip-ignition.ts';
import { HAS_IGNITION_VALIDATE, ignitionValidate } from '../../support/ignition-validate.ts';
import { BUILD } from '../../support/patch-options.ts';

const overlays = await loadOverlays();
const MANIFESTS = '/opt/openshift/openshift';
const GUARDED = ['release-image', 'kubelet', 'bootkube', 'install-to-disk', 'approve-csr', 'progress'];
const guardDropin = (unit: string): string => `added dropin ${unit}.service.d/20-edgefab-guard.conf`;

type StepOf = (ignition: Ignition) => Step;
const release: StepOf = () => releaseCacheStep({ location: 'installDisk' }, overlays);
const guard: StepOf = (ignition) => reinstallGuardStep(ignition, overlays);
const keep: StepOf = () => keepCacheStep({ location: 'usb', keepOnNode: true }, overlays);
const drop: StepOf = () => keepCacheStep({ location: 'installDisk', keepOnNode: false }, overlays);
const dns: StepOf = () =>
  localDnsStep({ clusterName: 'bip', domain: 'example.com', nodeAddresses: ['192.0.2.5'] }, overlays);
const status: StepOf = () => statusLineStep({ ...BUILD, buildId: 'b0a1' }, overlays);

const ROWS: [string, StepOf, DemoLine, string[]][] = [
  [
    'release-cache',
    release,
    '4.18',
    [
      'added file /usr/local/bin/coreos-installer',
      'added dropin install-to-disk.service.d/10-edgefab-path.conf',
      'added dropin edgefab-cache.service.d/30-edgefab-released.conf',
      'added dropin edgefab-registry.service.d/30-edgefab-released.conf',
      'added dropin edgefab-registry-v6.service.d/30-edgefab-released.conf',
    ],
  ],
  ...(['4.13', '4.21'] as const).map((line): [string, StepOf, DemoLine, string[]] => [
    'reinstall-guard',
    guard,
    line,
    [
      'added file /usr/local/bin/edgefab-reinstall-guard.sh',
      'added file /usr/local/bin/edgefab-after-install.sh',
      'added unit edgefab-reinstall-guard.service',
      'added dropin install-to-disk.service.d/30-edgefab-after.conf',
      ...[...GUARDED, ...(line === '4.21' ? ['node-image-pull'] : [])].map(guardDropin),
    ],
  ]),
  ['keep-cache, kept', keep, '4.18', [`added file ${MANIFESTS}/99_edgefab-keep-cache.yaml`]],
  ['keep-cache, dropped', drop, '4.18', [`added file ${MANIFESTS}/99_edgefab-keep-cache.yaml`]],
  ['local-dns', dns, '4.18', ['added file /etc/hosts', `added file ${MANIFESTS}/99_edgefab-dns.yaml`]],
  [
    'status-line',
    status,
    '4.18',
    [
      'added file /etc/edgefab/site.env',
      'added file /usr/local/bin/edgefab-status.sh',
      'added unit edgefab-status.service',
      'added unit edgefab-status.path',
      `added file ${MANIFESTS}/99_edgefab-status.yaml`,
    ],
  ],
];

describe('a step changes exactly this, once', () => {
  test.each(ROWS)('%s', (_name, stepOf, line, want) => {
    const before = bipIgnition({ line });
    const once = applyStep(before, stepOf(before));
    const found = diffIgnition(before, once.ignition).map(
      ({ kind, what, path }) => `${kind} ${what} ${path}`,
    );
    // A drop-in of a unit that is not in the config is told together with the unit.
    const units = new Set(before.units.map(({ name }) => name));
    const told = want.map((each) => {
      const [, unit = ''] = /^added dropin (\S+)\.d\//.exec(each) ?? [];
      return unit === '' || units.has(unit) || found.includes(each) ? each : `added unit ${unit}`;
    });
    expect([...new Set(found)].sort()).toEqual([...new Set(told)].sort());
    expect(once.report.changes).toHaveLength(want.length);
    const twice = applyStep(once.ignition, stepOf(once.ignition));
    expect([twice.ignition.text, twice.report.changes]).toEqual([once.ignition.text, []]);
  });

  test.skipIf(!HAS_IGNITION_VALIDATE)('and all together are valid (needs ignition-validate)', () => {
    let ignition = bipIgnition({ line: '4.21' });
    for (const stepOf of [release, guard, keep, dns, status])
      ignition = applyStep(ignition, stepOf(ignition)).ignition;
    expect(ignitionValidate(serializeIgnition(ignition))).toBe('');
    for (const name of ['keep-cache', 'dns', 'status'])
      expect(ignitionValidate(JSON.stringify(config(ignition, name)))).toBe('');
  });
});

/** The Ignition config inside a MachineConfig manifest. */
function config(ignition: Ignition, name: string): unknown {
  return parseYaml(fileText(ignition, `${MANIFESTS}/99_edgefab-${name}.yaml`) ?? '').spec.config;
}

function installed(stepOf: StepOf, name: string): Ignition {
  const before = bipIgnition();
  const { ignition } = applyStep(before, stepOf(before));
  return parseIgnitionText(JSON.stringify(config(ignition, name)), name);
}

describe('where a step does not apply it says why', () => {
  test.each([
    ['the USB disk stays open', releaseCacheStep({ location: 'usb' }, overlays), /on a disk of its own/],
    [
      'the cache is on the node',
      keepCacheStep({ location: 'installDisk', keepOnNode: true }, overlays),
      /on the node's own disk already/,
    ],
  ])('%s', (_name, step, reason) => {
    expect(step).toMatchObject({ changes: [], skipped: expect.stringMatching(reason) });
  });
});

describe('what the installed node gets', () => {
  test('to keep the cache: a unit nothing requires, and cache and registry as they are', () => {
    const node = installed(keep, 'keep-cache');
    expect(node.units.map(({ name, enabled }) => [name, enabled])).toEqual([
      ['edgefab-keep-cache.service', true],
    ]);
    expect(node.units[0]?.contents).toMatch(/^IOSchedulingClass=idle$/m);
    expect(node.units[0]?.contents).toMatch(/^CPUSchedulingPolicy=idle$/m);
  });

  test('to drop the cache: drop-ins that keep cache and registry shut afterwards', () => {
    const node = installed(drop, 'keep-cache');
    expect(node.units.map(({ name, dropins }) => [name, dropins.map((each) => each.name)])).toEqual([
      ['edgefab-drop-cache.service', []],
      ['edgefab-cache.service', ['30-edgefab-released.conf']],
      ['edgefab-registry.service', ['30-edgefab-released.conf']],
      ['edgefab-registry-v6.service', ['30-edgefab-released.conf']],
    ]);
    // Without contents and `enabled` the unit of the other MachineConfig stays as it is.
    expect(node.units[1]?.contents).toBeUndefined();
    expect(node.units[1]?.enabled).toBeUndefined();
  });

  test('for names: the dispatcher runs the script the unit runs, and dnsmasq comes before kubelet', () => {
    const node = installed(dns, 'dns');
    const dispatcher = '/etc/NetworkManager/dispatcher.d/60-edgefab-resolv';
    expect(fileText(node, dispatcher)).toBe(fileText(node, '/usr/local/bin/edgefab-resolv.sh'));
    expect(node.files.find(({ path }) => path === dispatcher)?.mode).toBe(0o755);
    expect(fileText(node, '/etc/edgefab/dns.env')).toBe('EDGEFAB_NAMESERVER=192.0.2.5\n');
    expect(node.units[0]?.contents).toMatch(/^Before=.*\bkubelet\.service/m);
  });

  test('for the login prompt: the same script in both phases, which each know their name', () => {
    const before = bipIgnition();
    const { ignition } = applyStep(before, status(before));
    const live = ignition.units.find(({ name }) => name === 'edgefab-status.service');
    const node = installed(status, 'status').units.find(({ name }) => name === 'edgefab-status.service');
    expect(live?.contents).toContain('EDGEFAB_PHASE=live');
    expect(node?.contents).toContain('EDGEFAB_PHASE=installed');
  });
});

test('what is told of the build is one plain line each', () => {
  const settings = { ...BUILD, installDisk: '/dev/disk/by-id/nvme-x' };
  const before = bipIgnition();
  const { ignition } = applyStep(before, statusLineStep(settings, overlays));
  expect(fileText(ignition, SITE_FILE)?.trimEnd().split('\n')).toEqual([
    'EDGEFAB_SITE=bip',
    'EDGEFAB_BUILD_ID=b-1',
    'EDGEFAB_LOCATION=usb',
    'EDGEFAB_INSTALL_DISK=/dev/disk/by-id/nvme-x',
  ]);
  expect([buildIdOf(before), buildIdOf(ignition)]).toEqual([undefined, 'b-1']);
});

test.each([
  ['a site with a blank', { site: 'a b' }],
  ['a build id with a quote', { buildId: "x'" }],
  ['a build id with a line break', { buildId: 'b\nX=1' }],
  ['no site', { site: '' }],
  ['a disk that is none', { installDisk: '/etc/passwd' }],
  ['a disk that leaves /dev', { installDisk: '/dev/../etc/passwd' }],
])('the login prompt refuses %s', (_name, change) => {
  expect(() => statusLineStep({ ...BUILD, ...change }, overlays)).toThrow(
    expect.objectContaining({ code: 'USAGE_INVALID' }),
  );
});
