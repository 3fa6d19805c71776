import { describe, expect, test } from 'vitest';
import { parse } from 'yaml';
import { maskInstallConfig } from '../../../src/boot/install-config/mask-install-config.ts';
import type { InstallConfigRegistry } from '../../../src/boot/install-config/registry-fields.ts';
import {
  type InstallConfigSite,
  renderInstallConfig,
} from '../../../src/boot/install-config/render-install-config.ts';
import { isRepository } from '../../../src/boot/install-config/repository-mirror.ts';
import { registryCa } from '../../support/registry-ca.ts';

const { certPem: CA, keyPem: KEY } = registryCa();
const { certPem: OLD_CA } = registryCa();
const REGISTRY: InstallConfigRegistry = {
  mirrors: [
    { source: 'quay.io/made-up/b', mirror: 'localhost:22626/quay.io/made-up/b' },
    { source: 'quay.io/made-up/a', mirror: 'localhost:22626/quay.io/made-up/a' },
  ],
  trustBundlePem: CA,
  releaseVersion: '4.18.9',
};
const SITE: InstallConfigSite = {
  clusterName: 'bip',
  domain: 'example.com',
  installDisk: '/dev/sda',
  pullSecret: '{"auths":{}}',
  sshKeys: [],
};
const [A, B] = ['a', 'b'].map((name) => ({
  source: `quay.io/made-up/${name}`,
  mirrors: [`localhost:22626/quay.io/made-up/${name}`],
}));

function render(base: string, registry: Partial<InstallConfigRegistry> = {}) {
  const text = renderInstallConfig(base, { ...SITE, registry: { ...REGISTRY, ...registry } });
  // The same again over its own output: nothing comes twice.
  expect(renderInstallConfig(text, { ...SITE, registry: { ...REGISTRY, ...registry } })).toBe(text);
  return parse(text);
}

describe('the mirrors', () => {
  test.each([
    ['4.12.18', 'imageContentSources'],
    ['4.13.1', 'imageContentSources'],
    ['4.14.0-rc.1', 'imageDigestSources'],
    ['4.21.0', 'imageDigestSources'],
    ['5.0.0', 'imageDigestSources'],
    ['4.21.0-okd-scos.3', 'imageDigestSources'],
  ])('of release %s are %s', (releaseVersion, field) => {
    const config = render('', { releaseVersion });
    expect(config[field]).toEqual([A, B]);
    expect(Object.keys(config).filter((key) => /^image/.test(key))).toEqual([field]);
  });
  test('come beside those of the base, ours first where a source is in both', () => {
    const base = `imageDigestSources:\n- source: quay.io/made-up/b\n  mirrors: [mirror.example.com/b]\n  sourcePolicy: NeverContactSource\n- source: docker.io/library/c\n  mirrors: [mirror.example.com/c]\n`;
    expect(render(base).imageDigestSources).toEqual([
      {
        source: 'quay.io/made-up/b',
        mirrors: ['localhost:22626/quay.io/made-up/b', 'mirror.example.com/b'],
        sourcePolicy: 'NeverContactSource',
      },
      { source: 'docker.io/library/c', mirrors: ['mirror.example.com/c'] },
      A,
    ]);
  });
  test.each([
    ['4.18.9', 'imageContentSources', 'imageDigestSources'],
    ['4.13.1', 'imageDigestSources', 'imageContentSources'],
  ])('of the base move to the field release %s reads', (releaseVersion, from, to) => {
    const config = render(`${from}:\n- source: docker.io/library/c\n  mirrors: [m.example.com/c]\n`, {
      releaseVersion,
    });
    expect(config[to]).toEqual([{ source: 'docker.io/library/c', mirrors: ['m.example.com/c'] }, A, B]);
    expect(config[from]).toBeUndefined();
  });
});

describe('the trust', () => {
  test('is the CA alone, for the cluster too', () => {
    const config = render('');
    expect(config.additionalTrustBundle).toBe(CA);
    expect(config.additionalTrustBundlePolicy).toBe('Always');
  });
  test('is appended to that of the base', () => {
    const base = `additionalTrustBundle: |\n  # ours\n${OLD_CA.replace(/^(?=.)/gm, '  ')}additionalTrustBundlePolicy: Proxyonly\n`;
    const config = render(base);
    expect(config.additionalTrustBundle).toBe(`# ours\n${OLD_CA}${CA}`);
    expect(config.additionalTrustBundlePolicy).toBe('Always');
  });
});

test.each([
  ['a proxy', 'httpsProxy: http://p:1', 'localhost,127.0.0.1,::1'],
  ['a proxy with exceptions', 'noProxy: ".example.com, localhost"', '.example.com,localhost,127.0.0.1,::1'],
  ['a proxy for nothing', 'noProxy: "*"', '*'],
])('loopback is asked without %s', (_name, proxy, noProxy) => {
  expect(render(`proxy:\n  ${proxy}\nfips: true\n`)).toMatchObject({ proxy: { noProxy }, fips: true });
});

test('without a registry nothing of it is there', () => {
  expect(renderInstallConfig('', SITE)).not.toMatch(/image|additionalTrust|roxy/);
});

test('what may be shown shows the mirrors and the CA', () => {
  const masked = parse(maskInstallConfig(renderInstallConfig('', { ...SITE, registry: REGISTRY })));
  expect(masked).toMatchObject({
    pullSecret: '(masked)',
    additionalTrustBundle: CA,
    imageDigestSources: [A, B],
  });
});

const rows: [string, string, Partial<InstallConfigRegistry>, RegExp][] = [
  [
    'a private key',
    '',
    { trustBundlePem: CA + KEY },
    /additionalTrustBundle: want certificates as PEM, and nothing else/,
  ],
  ['no certificate', '', { trustBundlePem: 'hello' }, /additionalTrustBundle: want certificates/],
  ['no version', '', { releaseVersion: 'latest' }, /release version "latest"/],
  [
    'a mirror with a tag',
    '',
    { mirrors: [{ source: 'quay.io/a:1', mirror: 'localhost:1/a' }] },
    /"quay\.io\/a:1"/,
  ],
  ['a list that is none', 'imageDigestSources: {}\n', {}, /imageDigestSources: want a list/],
  [
    'an item without a source',
    'imageDigestSources: [{mirrors: []}]\n',
    {},
    /imageDigestSources\[0\]: want source/,
  ],
  [
    'mirrors that are no texts',
    'imageDigestSources: [{source: a, mirrors: [1]}]\n',
    {},
    /imageDigestSources\[0\]/,
  ],
  ['a bundle that is no text', 'additionalTrustBundle: [1]\n', {}, /additionalTrustBundle: want a text/],
];
test.each(rows)('refuses %s', (_name, base, registry, message) => {
  const rendering = (): string =>
    renderInstallConfig(base, { ...SITE, registry: { ...REGISTRY, ...registry } });
  expect(rendering).toThrow(
    expect.objectContaining({ code: 'INSTALL_CONFIG_INVALID', message: expect.stringMatching(message) }),
  );
});

test.each([
  ['quay.io/a', true],
  ['registry.example.com:5000/a/b__c/d-e.f', true],
  ['localhost:22626/quay.io/a', true],
  ['registry:5000/a', true],
  ['quay.io', false],
  ['quay.io/a:1', false],
  ['quay.io/a@sha256:1', false],
  ['library/busybox', false],
  ['quay.io/A', false],
  ['quay.io//a', false],
  ['quay.io/a\nb', false],
])('%s is a repository: %s', (name, want) => expect(isRepository(name)).toBe(want));
