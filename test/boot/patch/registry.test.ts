import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { parse as parseYaml } from 'yaml';
import { diffIgnition } from '../../../src/boot/ignition/diff-ignition.ts';
import { fileText } from '../../../src/boot/ignition/file-contents.ts';
import type { Ignition } from '../../../src/boot/ignition/ignition.ts';
import { loadIgnition } from '../../../src/boot/ignition/load-ignition.ts';
import { parseIgnitionText, serializeIgnition } from '../../../src/boot/ignition/parse-ignition.ts';
import { loadOverlays } from '../../../src/boot/patch/overlay.ts';
import type { RegistryCertificates } from '../../../src/boot/patch/registry-certificates.ts';
import { renderRegistryConfig } from '../../../src/boot/patch/registry-config.ts';
import { registryInstalled } from '../../../src/boot/patch/registry-installed.ts';
import { registryLive } from '../../../src/boot/patch/registry-live.ts';
import type { RegistrySettings } from '../../../src/boot/patch/registry-settings.ts';
import { applyStep, type StepReport } from '../../../src/boot/patch/step.ts';
import { bipIgnition, type DemoLine, FIXTURES, RELEASE_IMAGE } from '../../support/bip-ignition.ts';
import { HAS_IGNITION_VALIDATE, ignitionValidate } from '../../support/ignition-validate.ts';

const HEX = 'a'.repeat(64);
const SETTINGS: RegistrySettings = {
  port: 22626,
  cacheLabel: 'edgefab',
  cacheId: 'cache-1',
  tool: { reference: `docker.io/library/registry@sha256:${HEX}`, view: 'views/dir/docker.io/registry' },
  releaseImage: RELEASE_IMAGE,
  keepOnNode: true,
  buildTime: new Date('2026-11-21T10:00:00Z'),
};
const pem = (label: string, text: string): string =>
  `-----BEGIN ${label}-----\n${Buffer.from(text).toString('base64')}\n-----END ${label}-----\n`;
const CERTIFICATES: RegistryCertificates = {
  caPem: pem('CERTIFICATE', 'the CA'),
  certificatePem: pem('CERTIFICATE', 'the leaf'),
  keyPem: pem('PRIVATE KEY', 'the key'),
};
const overlays = await loadOverlays();
const MANIFEST = '/opt/openshift/openshift/99_edgefab-registry.yaml';

interface Patched {
  readonly ignition: Ignition;
  readonly reports: readonly StepReport[];
}

function patched(
  before: Ignition,
  settings: RegistrySettings = SETTINGS,
  certificates: RegistryCertificates = CERTIFICATES,
): Patched {
  const live = applyStep(before, registryLive(before, settings, certificates, overlays));
  const installed = applyStep(live.ignition, registryInstalled(settings, certificates, overlays));
  return { ignition: installed.ignition, reports: [live.report, installed.report] };
}

const FILES = [
  '/etc/containers/certs.d/localhost:22626/ca.crt',
  '/etc/edgefab/registry.env',
  '/etc/edgefab/registry.yml',
  '/etc/edgefab/tls/registry.crt',
  '/etc/edgefab/tls/registry.key',
  '/etc/pki/ca-trust/source/anchors/edgefab-registry-ca.crt',
  '/usr/local/bin/edgefab-cache.sh',
  '/usr/local/bin/edgefab-clock.sh',
  '/usr/local/bin/edgefab-disk.sh',
  '/usr/local/bin/edgefab-registry-ready.sh',
  '/usr/local/bin/edgefab-registry.sh',
];
const UNITS = ['cache', 'clock', 'registry-ready', 'registry-v6', 'registry'].map(
  (name) => `edgefab-${name}.service`,
);
const BASE_CHANGES = [
  ...FILES.map((path) => `added file ${path}`),
  ...UNITS.map((name) => `added unit ${name}`),
  `added file ${MANIFEST}`,
  'added dropin bootkube.service.d/10-edgefab-registry.conf',
  'added dropin release-image.service.d/10-edgefab-registry.conf',
];
const NODE_IMAGE = ['added dropin node-image-pull.service.d/10-edgefab-registry.conf'];
const LINES: [DemoLine, string[]][] = [
  ['4.13', BASE_CHANGES],
  ['4.18', BASE_CHANGES],
  ['4.21', [...BASE_CHANGES, ...NODE_IMAGE]],
];

function differences(before: Ignition): string[] {
  const changes = diffIgnition(before, patched(before).ignition);
  return changes.map(({ kind, what, path }) => `${kind} ${what} ${path}`).sort();
}

describe('the registry steps change exactly this', () => {
  test.each(LINES)('on a made-up %s, and a second time nothing', (line, want) => {
    const before = bipIgnition({ line });
    expect(differences(before)).toEqual([...want].sort());
    const once = patched(before);
    const twice = patched(once.ignition);
    expect(twice.ignition.text).toBe(once.ignition.text);
    expect(twice.reports.flatMap(({ changes }) => changes)).toEqual([]);
    expect(once.reports.map(({ name, changes }) => [name, changes.length])).toEqual([
      ['registry-live', want.length - 1],
      ['registry-installed', 1],
    ]);
  });

  describe.skipIf(FIXTURES === undefined)('real configs (needs EDGEFAB_FIXTURES)', () => {
    test.each([
      ['bip-4.13', BASE_CHANGES],
      ['bip-4.18', BASE_CHANGES],
      ['bip-4.21', [...BASE_CHANGES, ...NODE_IMAGE]],
    ])('%s', async (name, want) => {
      const before = await loadIgnition(join(FIXTURES ?? '', 'ignition', `${name}.ign`));
      expect(differences(before)).toEqual([...want].sort());
      const { ignition } = patched(before);
      expect(patched(ignition).ignition.text).toBe(ignition.text);
      if (HAS_IGNITION_VALIDATE) expect(ignitionValidate(serializeIgnition(ignition))).toBe('');
    });
  });
});

describe('what the machine gets', () => {
  const { ignition } = patched(bipIgnition({ line: '4.21' }));
  const manifest = parseYaml(fileText(ignition, MANIFEST) ?? '');
  const node = parseIgnitionText(JSON.stringify(manifest.spec.config), MANIFEST);

  test('the same files in both phases, the key for root alone', () => {
    for (const path of FILES) {
      expect([path, fileText(node, path)]).toEqual([path, fileText(ignition, path)]);
      const mode = path.endsWith('.key') ? 0o600 : /edgefab-(?!disk).*\.sh$/.test(path) ? 0o755 : 0o644;
      for (const phase of [ignition, node])
        expect([path, phase.files.find((file) => file.path === path)?.mode]).toEqual([path, mode]);
    }
    expect(node.files.map(({ path }) => path).sort()).toEqual(FILES);
  });
  test('registries.conf stays with the machine config operator', () => {
    expect(node.files.some(({ path }) => path.includes('registries.conf'))).toBe(false);
  });
  test("no key but the registry's own, and that in one file", () => {
    const holders = (phase: Ignition): string[] =>
      phase.files.map(({ path }) => path).filter((path) => fileText(phase, path)?.includes('PRIVATE KEY'));
    expect(holders(node)).toEqual(['/etc/edgefab/tls/registry.key']);
  });
  test('all units enabled, and the pull of the daemon waits for the registry by a drop-in', () => {
    for (const phase of [ignition, node])
      for (const name of UNITS)
        expect(phase.units.find((unit) => unit.name === name)).toMatchObject({ enabled: true });
    const pull = node.units.find(({ name }) => name === 'machine-config-daemon-pull.service');
    expect(pull).toMatchObject({ dropins: [{ name: '10-edgefab-registry.conf' }] });
    expect(pull?.contents).toBeUndefined();
    expect(pull?.dropins[0]?.contents).toContain('After=edgefab-registry-ready.service');
  });
  test('the installed node waits less for the disk than the live system', () => {
    const wait = (phase: Ignition): number =>
      Number(
        /EDGEFAB_WAIT_SECONDS=(\d+)/.exec(
          phase.units.find(({ name }) => name === 'edgefab-cache.service')?.contents ?? '',
        )?.[1],
      );
    expect([wait(ignition), wait(node)]).toEqual([600, 60]);
  });
  test('a MachineConfig of the master pool that Ignition reads', () => {
    expect(manifest.metadata).toEqual({
      name: '99-edgefab-registry',
      labels: { 'machineconfiguration.openshift.io/role': 'master' },
    });
    if (HAS_IGNITION_VALIDATE) expect(ignitionValidate(JSON.stringify(manifest.spec.config))).toBe('');
  });
  test("the server's settings", () => {
    expect(renderRegistryConfig(22626)).toBe(`version: 0.1
log:
  level: warn
  accesslog:
    disabled: false
storage:
  filesystem:
    rootdirectory: /cache/views/registry
  delete:
    enabled: false
  redirect:
    disable: true
  maintenance:
    uploadpurging:
      enabled: false
    readonly:
      enabled: true
http:
  addr: 127.0.0.1:22626
  tls:
    certificate: /etc/edgefab/tls/registry.crt
    key: /etc/edgefab/tls/registry.key
`);
  });
});

describe('the registry steps refuse', () => {
  test.each([
    [
      'a CA with its key',
      { caPem: CERTIFICATES.caPem + pem('EC PRIVATE KEY', 'secret') },
      'CERTIFICATE, EC PRIVATE KEY',
    ],
    ['a CA that is none', { caPem: 'x' }, 'no PEM block'],
    ["a key in the certificate's place", { certificatePem: CERTIFICATES.keyPem }, 'PRIVATE KEY'],
    ['no key', { keyPem: '' }, 'no PEM block'],
    ['two keys', { keyPem: CERTIFICATES.keyPem.repeat(2) }, 'PRIVATE KEY, PRIVATE KEY'],
    ['an encrypted key', { keyPem: pem('ENCRYPTED PRIVATE KEY', 'x') }, 'ENCRYPTED PRIVATE KEY'],
  ])('%s, without showing it', (_name, change, got) => {
    const act = () => patched(bipIgnition(), SETTINGS, { ...CERTIFICATES, ...change });
    expect(act).toThrow(
      expect.objectContaining({
        code: 'CERTIFICATES_INVALID',
        message: expect.stringContaining(`got ${got}, want`),
      }),
    );
  });
  test('settings a shell would misread', () => {
    expect(() => patched(bipIgnition(), { ...SETTINGS, cacheLabel: 'a b' })).toThrow(
      expect.objectContaining({ code: 'USAGE_INVALID' }),
    );
  });
  test.each(['release-image.service', 'bootkube.service'])('a config without %s', (name) => {
    const before = bipIgnition();
    const without = { ...before, units: before.units.filter((unit) => unit.name !== name) };
    expect(() => registryLive(without, SETTINGS, CERTIFICATES, overlays)).toThrow(
      expect.objectContaining({ code: 'INSTALLER_TEXT_UNKNOWN', message: expect.stringContaining(name) }),
    );
  });
});
