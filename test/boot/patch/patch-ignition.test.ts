import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { parse as parseYaml } from 'yaml';
import { diffIgnition } from '../../../src/boot/ignition/diff-ignition.ts';
import { fileText } from '../../../src/boot/ignition/file-contents.ts';
import type { Ignition } from '../../../src/boot/ignition/ignition.ts';
import { loadIgnition } from '../../../src/boot/ignition/load-ignition.ts';
import {
  parseIgnition,
  parseIgnitionText,
  serializeIgnition,
} from '../../../src/boot/ignition/parse-ignition.ts';
import { type PatchOptions, patchIgnition } from '../../../src/boot/patch/patch-ignition.ts';
import { bipIgnition, type DemoLine, FIXTURES, RELEASE_IMAGE } from '../../support/bip-ignition.ts';
import { HAS_IGNITION_VALIDATE, ignitionValidate } from '../../support/ignition-validate.ts';
import { preloadImage as image, PATCH_OPTIONS as OPTIONS } from '../../support/patch-options.ts';

const INSTALL = '/usr/local/bin/install-to-disk.sh';
const MANIFESTS = '/opt/openshift/openshift';

async function differences(before: Ignition, options: PatchOptions = OPTIONS): Promise<string[]> {
  const { ignition } = await patchIgnition(before, options);
  return diffIgnition(before, ignition).map(({ kind, what, path }) => `${kind} ${what} ${path}`);
}

const GUARDED = ['release-image', 'kubelet', 'bootkube', 'install-to-disk', 'approve-csr', 'progress'];
const guardDropin = (unit: string): string => `added dropin ${unit}.service.d/20-edgefab-guard.conf`;
/** The guard and the status line, which every config gets. */
const AROUND_INSTALL = [
  'added file /usr/local/bin/edgefab-reinstall-guard.sh',
  'added file /usr/local/bin/edgefab-after-install.sh',
  'added unit edgefab-reinstall-guard.service',
  'added dropin install-to-disk.service.d/30-edgefab-after.conf',
  ...GUARDED.map(guardDropin),
  'added file /etc/edgefab/site.env',
  'added file /usr/local/bin/edgefab-status.sh',
  'added unit edgefab-status.service',
  'added unit edgefab-status.path',
  `added file ${MANIFESTS}/99_edgefab-status.yaml`,
];
const BASE_CHANGES = [
  `changed file ${INSTALL}`,
  'added file /etc/edgefab/preload.env',
  'added file /etc/edgefab/images.list',
  'added file /usr/local/bin/edgefab-disk.sh',
  'added file /usr/local/bin/edgefab-preload.sh',
  `added file ${MANIFESTS}/99_edgefab-preload.yaml`,
  'added file /etc/hostname',
  `added file ${MANIFESTS}/99_edgefab-hostname.yaml`,
  'added dropin release-image.service.d/10-edgefab-order.conf',
  'added unit edgefab-preload.service',
  ...AROUND_INSTALL,
];
const PULL_FIRST = [
  'added file /usr/local/bin/edgefab-release-image.sh',
  'added dropin release-image.service.d/20-edgefab-local-first.conf',
];
const NODE_IMAGE = [
  'added dropin node-image-pull.service.d/10-edgefab-order.conf',
  guardDropin('node-image-pull'),
];
const LINES: [DemoLine, string[]][] = [
  ['4.13', [...BASE_CHANGES, ...PULL_FIRST]],
  ['4.18', BASE_CHANGES],
  ['4.21', [...BASE_CHANGES, ...NODE_IMAGE]],
];

describe('patching changes exactly this', () => {
  test.each(LINES)('on a made-up %s', async (line, want) => {
    expect((await differences(bipIgnition({ line }))).sort()).toEqual([...want].sort());
  });

  test('and reports each change with its step and reason', async () => {
    const { report } = await patchIgnition(bipIgnition(), OPTIONS);
    expect(report.map(({ name, changes }) => [name, changes.length])).toEqual([
      ['preload-live', 6],
      ['preload-installed', 1],
      ['reinstall-guard', 10],
      ['status-line', 5],
      ['hostname', 2],
      ['network', 0],
      ['local-dns', 0],
      ['ntp', 0],
      ['save-partlabel', 1],
      ['manifests', 0],
      ['overlays', 0],
    ]);
    expect(report.every(({ why }) => why.length > 10)).toBe(true);
  });

  test('without an image list nothing is preloaded, and the report says so', async () => {
    const options = { ...OPTIONS, images: undefined, keepPartition: false };
    const { report } = await patchIgnition(bipIgnition(), options);
    expect(report.map(({ name, skipped }) => [name, skipped])).toEqual([
      ['preload-live', expect.stringContaining('no image list')],
      ['preload-installed', expect.stringContaining('no image list')],
      ['reinstall-guard', undefined],
      ['status-line', undefined],
      ['hostname', undefined],
      ['network', expect.stringContaining('asks DHCP')],
      ['local-dns', expect.stringContaining('has a DNS server')],
      ['ntp', expect.stringContaining('no time server')],
      ['save-partlabel', expect.stringContaining('no partition')],
      ['manifests', expect.stringContaining('none were given')],
      ['overlays', expect.stringContaining('none were given')],
    ]);
    expect((await differences(bipIgnition(), options)).sort()).toEqual(
      [
        'added file /etc/hostname',
        `added file ${MANIFESTS}/99_edgefab-hostname.yaml`,
        ...AROUND_INSTALL,
      ].sort(),
    );
  });
});

describe('patching twice is patching once', () => {
  test.each(LINES)('on a made-up %s', async (line) => {
    const once = await patchIgnition(bipIgnition({ line }), OPTIONS);
    const twice = await patchIgnition(once.ignition, OPTIONS);
    expect(twice.ignition.text).toBe(once.ignition.text);
    expect(twice.report.flatMap(({ changes }) => changes)).toEqual([]);
    // Also after a way through a file.
    const read = parseIgnition(serializeIgnition(once.ignition), 'read.ign');
    expect((await patchIgnition(read, OPTIONS)).ignition.text).toBe(once.ignition.text);
  });

  test('the order of the image list makes no difference', async () => {
    const reversed = { ...OPTIONS, images: [...(OPTIONS.images ?? [])].reverse() };
    const a = await patchIgnition(bipIgnition(), OPTIONS);
    const b = await patchIgnition(bipIgnition(), reversed);
    expect(b.ignition.text).toBe(a.ignition.text);
  });

  test('with another host name only the host name changes', async () => {
    const once = await patchIgnition(bipIgnition(), OPTIONS);
    expect(await differences(once.ignition, { ...OPTIONS, hostname: 'other' })).toEqual([
      'changed file /etc/hostname',
      `changed file ${MANIFESTS}/99_edgefab-hostname.yaml`,
    ]);
  });
});

describe('what the machine gets', async () => {
  const { ignition } = await patchIgnition(bipIgnition(), OPTIONS);
  const manifest = (name: string) => parseYaml(fileText(ignition, `${MANIFESTS}/${name}`) ?? '');
  /** The Ignition config inside a MachineConfig manifest. */
  const inner = (name: string): Ignition =>
    parseIgnitionText(JSON.stringify(manifest(name).spec.config), name);

  test('the live list holds the live images, sorted', () => {
    expect(fileText(ignition, '/etc/edgefab/images.list')?.split('\n').slice(1)).toEqual([
      `live ${image('a', 'live').reference} ${image('a', 'live').view}`,
      `live ${image('b', 'live').reference} ${image('b', 'live').view}`,
      '',
    ]);
  });
  test('the settings', () => {
    expect(fileText(ignition, '/etc/edgefab/preload.env')).toBe(
      `EDGEFAB_LABEL=edgefab\nEDGEFAB_CACHE_ID=cache-1\nEDGEFAB_RELEASE_IMAGE=${RELEASE_IMAGE}\n`,
    );
  });
  test('the installed list is in a MachineConfig of the master pool', () => {
    expect(manifest('99_edgefab-preload.yaml').metadata).toEqual({
      name: '99-edgefab-preload',
      labels: { 'machineconfiguration.openshift.io/role': 'master' },
    });
    const list = fileText(inner('99_edgefab-preload.yaml'), '/etc/edgefab/images.list');
    expect(list?.match(/^installed \S+/gm)).toEqual([
      `installed ${image('b', 'both').reference}`,
      `installed ${image('c', 'both').reference}`,
    ]);
  });
  test('both phases have the same host name', () => {
    expect(fileText(ignition, '/etc/hostname')).toBe('bip\n');
    expect(fileText(inner('99_edgefab-hostname.yaml'), '/etc/hostname')).toBe('bip\n');
  });
  test('both phases run the same loader', () => {
    const path = '/usr/local/bin/edgefab-preload.sh';
    expect(fileText(inner('99_edgefab-preload.yaml'), path)).toBe(fileText(ignition, path));
    expect(ignition.files.find((file) => file.path === path)?.mode).toBe(0o755);
  });
  test('the installer line keeps the partition', () => {
    expect(fileText(ignition, INSTALL)).toContain(
      "\n  coreos-installer install -n -i /opt/openshift/master.ign --save-partlabel 'edgefab-node' /dev/sda\n",
    );
  });
  test.runIf(HAS_IGNITION_VALIDATE)('the MachineConfigs hold what Ignition reads', () => {
    for (const name of ['99_edgefab-preload.yaml', '99_edgefab-hostname.yaml'])
      expect(ignitionValidate(JSON.stringify(manifest(name).spec.config))).toBe('');
  });
});

describe.skipIf(!HAS_IGNITION_VALIDATE)('Ignition itself accepts (needs ignition-validate)', () => {
  test.each(LINES)('the made-up %s, patched', async (line) => {
    const before = bipIgnition({ line });
    expect(ignitionValidate(serializeIgnition(before))).toBe('');
    const { ignition } = await patchIgnition(before, OPTIONS);
    expect(ignitionValidate(serializeIgnition(ignition))).toBe('');
  });
  test('and refuses what is wrong', () => {
    expect(ignitionValidate('{"ignition":{"version":"3.2.0"},"storage":{"files":[{"path":"x"}]}}')).not.toBe(
      '',
    );
  });
});

describe.skipIf(FIXTURES === undefined)('real configs (needs EDGEFAB_FIXTURES)', () => {
  test.each([
    ['bip-4.13', [...BASE_CHANGES, ...PULL_FIRST]],
    ['bip-4.18', BASE_CHANGES],
    ['bip-4.21', [...BASE_CHANGES, ...NODE_IMAGE]],
  ])('%s is patched, only where it should be, and stays so', async (name, want) => {
    const before = await loadIgnition(join(FIXTURES ?? '', 'ignition', `${name}.ign`));
    const { ignition } = await patchIgnition(before, OPTIONS);
    expect((await differences(before)).sort()).toEqual([...want].sort());
    expect((await patchIgnition(ignition, OPTIONS)).ignition.text).toBe(ignition.text);
    if (HAS_IGNITION_VALIDATE) expect(ignitionValidate(serializeIgnition(ignition))).toBe('');
    const line = diffIgnition(before, ignition).find((change) => change.path === INSTALL);
    expect(line?.detail.filter((text) => /^[-+]/.test(text))).toEqual([
      '-  coreos-installer install -n -i /opt/openshift/master.ign /dev/sda',
      "+  coreos-installer install -n -i /opt/openshift/master.ign --save-partlabel 'edgefab-node' /dev/sda",
    ]);
  });
});
