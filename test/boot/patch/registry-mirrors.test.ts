import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { parse } from 'yaml';
import { diffIgnition } from '../../../src/boot/ignition/diff-ignition.ts';
import { fileText } from '../../../src/boot/ignition/file-contents.ts';
import type { Ignition } from '../../../src/boot/ignition/ignition.ts';
import { loadIgnition } from '../../../src/boot/ignition/load-ignition.ts';
import { parseIgnitionText, serializeIgnition } from '../../../src/boot/ignition/parse-ignition.ts';
import { releaseImage } from '../../../src/boot/ignition/release-image.ts';
import {
  type RegistryMirrorsSettings,
  registryMirrorsStep,
} from '../../../src/boot/patch/registry-mirrors.ts';
import { applyStep } from '../../../src/boot/patch/step.ts';
import type { DemoFile } from '../../../src/factory/demo/demo-ignition-options.ts';
import { bipIgnition, FIXTURES } from '../../support/bip-ignition.ts';
import { HAS_IGNITION_VALIDATE, ignitionValidate } from '../../support/ignition-validate.ts';
import { loopbackLeaf, registryCa } from '../../support/registry-ca.ts';
import { MIRROR_SETTINGS, TEST_CA } from '../../support/registry-mirrors.ts';

const REGISTRIES_CONF = '/etc/containers/registries.conf';
const ICSP = '/opt/openshift/manifests/image-content-source-policy.yaml';
const IDMS = '/opt/openshift/manifests/image-digest-mirror-set.yaml';
const ITMS = '/opt/openshift/openshift/99_edgefab-image-tag-mirror-set.yaml';
const BUNDLE = '/opt/openshift/manifests/user-ca-bundle-config.yaml';
const TRUST = '/opt/openshift/openshift/99_edgefab-registry-trust.yaml';
const ANCHOR = '/etc/pki/ca-trust/source/anchors/edgefab-registry-ca.crt';
const INSTALLER_ANCHOR = '/etc/pki/ca-trust/source/anchors/ca.crt';
const CERTS_D = '/etc/containers/certs.d/localhost:22626/ca.crt';
const CA = TEST_CA.certPem;
const UBI = {
  reference: 'registry.example.com:5000/ubi8/ubi:latest',
  digest: `sha256:${'a'.repeat(64)}`,
};

/** Patches once, and makes sure that a second time changes nothing. */
function patch(before: Ignition, change: Partial<RegistryMirrorsSettings> = {}) {
  const settings = { ...MIRROR_SETTINGS, ...change };
  const once = applyStep(before, registryMirrorsStep(before, settings));
  const twice = applyStep(once.ignition, registryMirrorsStep(once.ignition, settings));
  expect(twice.report.changes).toEqual([]);
  expect(twice.ignition.text).toBe(once.ignition.text);
  return once;
}

function yamlOf(ignition: Ignition, path: string) {
  return parse(fileText(ignition, path) ?? '');
}

function file(path: string, text: string, mode = 0o644): DemoFile {
  return { path, mode, text };
}

const indented = (text: string): string => text.replace(/^(?=.)/gm, '    ');

describe('a config without any of it gets', () => {
  const before = bipIgnition();
  const { ignition, report } = patch(before);

  test('these files and no others', () => {
    expect(report).toMatchObject({
      name: 'registry-mirrors',
      changes: [
        `file ${REGISTRIES_CONF}`,
        `manifest ${IDMS}`,
        `file ${ANCHOR}`,
        `file ${CERTS_D}`,
        `manifest ${BUNDLE}`,
        `manifest ${TRUST}`,
      ],
    });
    expect(diffIgnition(before, ignition)).toHaveLength(6);
  });
  test('live mirrors for pulls by digest', () => {
    expect(fileText(ignition, REGISTRIES_CONF)).toBe(`[[registry]]
location = "quay.io/made-up/art"
mirror-by-digest-only = true

[[registry.mirror]]
location = "localhost:22626/quay.io/made-up/art"

[[registry]]
location = "quay.io/made-up/release"
mirror-by-digest-only = true

[[registry.mirror]]
location = "localhost:22626/quay.io/made-up/release"

[[registry]]
location = "registry.example.com:5000/ubi8/ubi"
mirror-by-digest-only = true

[[registry.mirror]]
location = "localhost:22626/registry.example.com_5000/ubi8/ubi"
`);
  });
  test('a mirror set, in the file bootkube hands to oc', () => {
    expect(fileText(ignition, IDMS)).toBe(`apiVersion: config.openshift.io/v1
kind: ImageDigestMirrorSet
metadata:
  name: edgefab-mirrors
spec:
  imageDigestMirrors:
    - source: quay.io/made-up/art
      mirrors:
        - localhost:22626/quay.io/made-up/art
    - source: quay.io/made-up/release
      mirrors:
        - localhost:22626/quay.io/made-up/release
    - source: registry.example.com:5000/ubi8/ubi
      mirrors:
        - localhost:22626/registry.example.com_5000/ubi8/ubi
`);
  });
  test('the CA in every place that is read for it, and its key in none', () => {
    expect(fileText(ignition, ANCHOR)).toBe(CA);
    expect(fileText(ignition, CERTS_D)).toBe(CA);
    expect(yamlOf(ignition, BUNDLE)).toEqual({
      apiVersion: 'v1',
      kind: 'ConfigMap',
      metadata: { name: 'user-ca-bundle', namespace: 'openshift-config' },
      data: { 'ca-bundle.crt': CA },
    });
    const { metadata, spec } = yamlOf(ignition, TRUST);
    expect(metadata).toEqual({
      name: '99-edgefab-registry-trust',
      labels: { 'machineconfiguration.openshift.io/role': 'master' },
    });
    const inner = parseIgnitionText(JSON.stringify(spec.config), 'MachineConfig');
    expect(inner.files.map(({ path, mode }) => [path, mode, fileText(inner, path)])).toEqual([
      [ANCHOR, 0o644, CA],
      [CERTS_D, 0o644, CA],
    ]);
    expect(serializeIgnition(ignition).toString()).not.toContain(Buffer.from('PRIVATE').toString('base64'));
  });
  test('files anybody on the machine can read', () => {
    const paths = [REGISTRIES_CONF, ANCHOR, CERTS_D];
    const modes = paths.map((path) => ignition.files.find((each) => each.path === path)?.mode);
    expect(modes).toEqual([0o644, 0o644, 0o644]);
  });
  test('the same whatever the order of the repositories', () => {
    const repositories = [...MIRROR_SETTINGS.repositories].reverse();
    expect(patch(before, { repositories }).ignition.text).toBe(ignition.text);
  });
});

describe('what sets mirrors by digest, and by tag, on release', () => {
  test.each([
    [
      '4.12.18',
      ICSP,
      'ImageContentSourcePolicy',
      'repositoryDigestMirrors',
      'operator.openshift.io/v1alpha1',
    ],
    ['4.13.1', IDMS, 'ImageDigestMirrorSet', 'imageDigestMirrors', 'config.openshift.io/v1'],
    ['4.21.0-okd-scos.3', IDMS, 'ImageDigestMirrorSet', 'imageDigestMirrors', 'config.openshift.io/v1'],
    ['5.0.0', IDMS, 'ImageDigestMirrorSet', 'imageDigestMirrors', 'config.openshift.io/v1'],
  ])('%s', (version, path, kind, list, apiVersion) => {
    const { ignition } = patch(bipIgnition(), { version });
    const manifest = yamlOf(ignition, path);
    expect([manifest.kind, manifest.apiVersion, manifest.spec[list].length]).toEqual([kind, apiVersion, 3]);
    expect([ICSP, IDMS, ITMS].filter((each) => fileText(ignition, each) !== undefined)).toEqual([path]);
  });
  test('4.13 with a tag', () => {
    const { ignition } = patch(bipIgnition(), { version: '4.13.1', tagged: [UBI, UBI] });
    expect(yamlOf(ignition, ITMS)).toEqual({
      apiVersion: 'config.openshift.io/v1',
      kind: 'ImageTagMirrorSet',
      metadata: { name: 'edgefab-tags' },
      spec: {
        imageTagMirrors: [
          {
            source: 'registry.example.com:5000/ubi8/ubi',
            mirrors: ['localhost:22626/registry.example.com_5000/ubi8/ubi'],
          },
        ],
      },
    });
    expect(fileText(ignition, REGISTRIES_CONF)).not.toContain('pull-from-mirror');
  });
});

/** What the installer writes from an install-config with mirrors and a trust bundle. */
function installerMade(kind: 'ICSP' | 'IDMS', bundle: string, sources: readonly string[]): DemoFile[] {
  const items = sources
    .map(
      (source) => `  - mirrors:\n    - localhost:22626/${source.replace(':', '_')}\n    source: ${source}\n`,
    )
    .join('');
  const manifest =
    kind === 'ICSP'
      ? `apiVersion: operator.openshift.io/v1alpha1\nkind: ImageContentSourcePolicy\nmetadata:\n  creationTimestamp: null\n  name: image-policy\nspec:\n  repositoryDigestMirrors:\n${items}`
      : `apiVersion: config.openshift.io/v1\nkind: ImageDigestMirrorSet\nmetadata:\n  creationTimestamp: null\n  name: image-digest-mirror\nspec:\n  imageDigestMirrors:\n${items}status: {}\n`;
  const bundleYaml = `apiVersion: v1\ndata:\n  ca-bundle.crt: |\n${indented(bundle)}kind: ConfigMap\nmetadata:\n  name: user-ca-bundle\n  namespace: openshift-config\n`;
  return [
    file(kind === 'ICSP' ? ICSP : IDMS, manifest),
    file(BUNDLE, bundleYaml),
    file(INSTALLER_ANCHOR, `${bundle}\n`, 0o600),
  ];
}

const ALL = MIRROR_SETTINGS.repositories.map(({ source }) => source);
const TOML = ALL.map(
  (source) =>
    `[[registry]]\nlocation = "${source}"\ninsecure = false\nmirror-by-digest-only = true\n\n[[registry.mirror]]\nlocation = "localhost:22626/${source.replace(':', '_')}"\ninsecure = false\n`,
).join('\n');

/** A made-up config with a registries.conf of its own. */
function withConf(text: string, extraFiles: DemoFile[], mode = 0o644): Ignition {
  const whole = bipIgnition({ extraFiles: [...extraFiles, file('/conf', text, mode)] }).text;
  const parsed = JSON.parse(whole);
  const { files } = parsed.storage;
  parsed.storage.files = files.filter((each: { path: string }) => each.path !== REGISTRIES_CONF);
  for (const each of parsed.storage.files) if (each.path === '/conf') each.path = REGISTRIES_CONF;
  return parseIgnitionText(JSON.stringify(parsed), 'made-up.ign');
}

describe('a config the installer made with mirrors', () => {
  const own = [`manifest ${TRUST}`];

  test.each([
    ['an ICSP', 'ICSP', '4.13.1'],
    ['an IDMS', 'IDMS', '4.18.9'],
  ] as const)('with %s is left alone but for the CA in its own place', (_name, kind, version) => {
    const before = withConf(TOML, installerMade(kind, CA, ALL));
    const { ignition, report } = patch(before, { version });
    expect(report.changes).toEqual([`file ${CERTS_D}`, ...own]);
    expect(fileText(ignition, REGISTRIES_CONF)).toBe(TOML);
  });

  test('gets registries.conf that all can read', () => {
    const before = withConf(TOML, installerMade('ICSP', CA, ALL), 0o600);
    const { ignition, report } = patch(before, { version: '4.13.1' });
    expect(report.changes).toEqual([`file ${REGISTRIES_CONF}`, `file ${CERTS_D}`, ...own]);
    const conf = ignition.files.find(({ path }) => path === REGISTRIES_CONF);
    expect([conf?.mode, fileText(ignition, REGISTRIES_CONF)]).toEqual([0o644, TOML]);
  });

  test('is completed, and keeps what is its own', () => {
    const [first = '', second = ''] = ALL;
    const manifests = installerMade('IDMS', CA, [first]);
    const toml = `unqualified-search-registries = ["docker.io"]\n\n[[registry]]\nprefix = "${second}"\nlocation = "${second}"\n[[registry.mirror]]\nlocation = "mirror.example.com/b"\n`;
    const { ignition } = patch(withConf(toml, manifests));
    const conf = fileText(ignition, REGISTRIES_CONF) ?? '';
    expect(conf).toContain('unqualified-search-registries = [ "docker.io" ]');
    expect(conf).toContain(
      `prefix = "${second}"\nlocation = "${second}"\n\n[[registry.mirror]]\nlocation = "localhost:22626/${second.replace(':', '_')}"\n\n[[registry.mirror]]\nlocation = "mirror.example.com/b"\n`,
    );
    const { metadata, spec } = yamlOf(ignition, IDMS);
    expect(metadata.name).toBe('image-digest-mirror');
    expect(spec.imageDigestMirrors.map(({ source }: { source: string }) => source)).toEqual([
      first,
      'quay.io/made-up/art',
      second,
    ]);
  });

  test('on 4.13 its policy becomes a mirror set when tags need mirrors: the two do not go together there', () => {
    const before = withConf(TOML, installerMade('ICSP', CA, ALL));
    const { ignition } = patch(before, { version: '4.13.1', tagged: [UBI] });
    const manifest = yamlOf(ignition, ICSP);
    expect([manifest.kind, Object.keys(manifest.spec)]).toEqual([
      'ImageDigestMirrorSet',
      ['imageDigestMirrors'],
    ]);
    expect(manifest.spec.imageDigestMirrors.map(({ source }: { source: string }) => source)).toEqual(ALL);
    expect(fileText(ignition, IDMS)).toBeUndefined();
  });
  test('on 4.14 and later its policy stays beside tag mirrors', () => {
    const before = withConf(TOML, installerMade('ICSP', CA, ALL));
    const { ignition, report } = patch(before, { version: '4.14.3', tagged: [UBI] });
    expect(yamlOf(ignition, ICSP).kind).toBe('ImageContentSourcePolicy');
    expect(report.changes).toEqual([`manifest ${ITMS}`, `file ${CERTS_D}`, ...own]);
  });

  test('with a trust bundle of its own keeps that, and gets the CA after it', () => {
    const corporate = loopbackLeaf(TEST_CA).certificate; // any certificate with another name
    const before = withConf(TOML, installerMade('IDMS', corporate, ALL));
    const { ignition, report } = patch(before);
    expect(report.changes).toEqual([`file ${ANCHOR}`, `file ${CERTS_D}`, `manifest ${BUNDLE}`, ...own]);
    expect(yamlOf(ignition, BUNDLE).data).toEqual({ 'ca-bundle.crt': `${corporate}${CA}` });
    expect(fileText(ignition, INSTALLER_ANCHOR)).toBe(`${corporate}\n`);
  });

  test.each([
    ['in the trust bundle', installerMade('IDMS', registryCa().certPem, ALL).slice(0, 2), BUNDLE],
    ['in the live anchors', installerMade('IDMS', registryCa().certPem, ALL).slice(2), INSTALLER_ANCHOR],
  ])('for another registry CA is refused: %s', (_name, files, path) => {
    expect(() => registryMirrorsStep(withConf(TOML, files), MIRROR_SETTINGS)).toThrow(
      expect.objectContaining({ code: 'REGISTRY_CA_MISMATCH', message: expect.stringContaining(path) }),
    );
  });
});

describe('it refuses', () => {
  const demo = bipIgnition();
  const byTag = bipIgnition({ releaseImage: 'quay.io/made-up/release:4.18.9-x86_64' });
  const rows: [string, Ignition, Partial<RegistryMirrorsSettings>, string, RegExp][] = [
    [
      'a release image by tag',
      byTag,
      {},
      'MODE_UNSUPPORTED',
      /release image by tag \(quay\.io\/made-up\/release:4\.18\.9-x86_64\)/,
    ],
    [
      'a release without a mirror',
      demo,
      { repositories: [] },
      'MIRROR_MISSING',
      /quay\.io\/made-up\/release has no mirror among the 0/,
    ],
    [
      'tags on 4.12',
      demo,
      { version: '4.12.18', tagged: [UBI] },
      'MODE_UNSUPPORTED',
      /release 4\.12\.18 has no mirrors for tags.*ubi:latest/,
    ],
    [
      'a tag without a mirror',
      demo,
      { tagged: [{ ...UBI, reference: 'quay.io/x/y:1' }] },
      'USAGE_INVALID',
      /"quay\.io\/x\/y", want a repository that has a mirror/,
    ],
    [
      'a tag that is none',
      demo,
      { tagged: [{ ...UBI, reference: 'quay.io:443/x' }] },
      'USAGE_INVALID',
      /want HOST\/PATH:TAG/,
    ],
    [
      'a mirror elsewhere',
      demo,
      { repositories: [{ source: 'quay.io/a', mirror: 'localhost:5000/a' }] },
      'USAGE_INVALID',
      /want localhost:22626\/PATH/,
    ],
    [
      'a source with a tag',
      demo,
      { repositories: [{ source: 'quay.io/a:1', mirror: 'localhost:22626/a' }] },
      'USAGE_INVALID',
      /without tag or digest/,
    ],
    ['a reserved port', demo, { port: 6443 }, 'USAGE_INVALID', /6443/],
    ['no version', demo, { version: '' }, 'RELEASE_UNKNOWN', /release version: got ""/],
    [
      'a private key',
      demo,
      { caPem: CA + TEST_CA.keyPem },
      'USAGE_INVALID',
      /registry CA: got "CERTIFICATE, PRIVATE KEY"/,
    ],
    ['no CA', demo, { caPem: '' }, 'USAGE_INVALID', /registry CA: got ""/],
    ['two CAs', demo, { caPem: CA + registryCa().certPem }, 'USAGE_INVALID', /registry CA/],
    [
      'a registries.conf that is no TOML',
      withConf('[[registry', []),
      {},
      'IGNITION_INVALID',
      /is not valid TOML/,
    ],
    [
      'a registries.conf of version 1',
      withConf('[registries.search]\nregistries = []\n', []),
      {},
      'IGNITION_INVALID',
      /version 1/,
    ],
    [
      'a registry that is no table',
      withConf('registry = "x"\n', []),
      {},
      'IGNITION_INVALID',
      /not a list of tables/,
    ],
    [
      'a mirror manifest of another kind',
      bipIgnition({ extraFiles: [file(IDMS, 'kind: Pod\n')] }),
      {},
      'IGNITION_INVALID',
      /got the kind Pod/,
    ],
    [
      'a mirror manifest that is no YAML',
      bipIgnition({ extraFiles: [file(IDMS, 'a: [\n')] }),
      {},
      'IGNITION_INVALID',
      /not one manifest in YAML/,
    ],
    [
      'a mirror manifest without a list',
      bipIgnition({
        extraFiles: [file(IDMS, 'kind: ImageDigestMirrorSet\nspec: {imageDigestMirrors: 1}\n')],
      }),
      {},
      'IGNITION_INVALID',
      /spec\.imageDigestMirrors that is not a list/,
    ],
  ];
  test.each(rows)('%s', (_name, ignition, change, code, message) => {
    expect(() => registryMirrorsStep(ignition, { ...MIRROR_SETTINGS, ...change })).toThrow(
      expect.objectContaining({ code, message: expect.stringMatching(message) }),
    );
  });
  test('tags on 4.12 with the digest to use instead', () => {
    const step = () => registryMirrorsStep(demo, { ...MIRROR_SETTINGS, version: '4.12.18', tagged: [UBI] });
    expect(step).toThrow(
      expect.objectContaining({
        suggestions: [`Name the image by its digest: registry.example.com:5000/ubi8/ubi@${UBI.digest}`],
      }),
    );
  });
});

describe.skipIf(!HAS_IGNITION_VALIDATE)('Ignition itself accepts (needs ignition-validate)', () => {
  test.each(['4.13', '4.18', '4.21'] as const)('the made-up %s, patched', (line) => {
    const { ignition } = patch(bipIgnition({ line }), { version: `${line}.0`, tagged: [UBI] });
    expect(ignitionValidate(serializeIgnition(ignition))).toBe('');
    expect(ignitionValidate(JSON.stringify(yamlOf(ignition, TRUST).spec.config))).toBe('');
  });
});

describe.skipIf(FIXTURES === undefined)('real configs (needs EDGEFAB_FIXTURES)', () => {
  test.each([
    ['bip-4.13', '4.13.1'],
    ['bip-4.18', '4.18.9'],
    ['bip-4.21', '4.21.0'],
  ])('%s is patched only where it should be, and stays so', async (name, version) => {
    const before = await loadIgnition(join(FIXTURES ?? '', 'ignition', `${name}.ign`));
    const [release = ''] = releaseImage(before).split('@');
    const source = release.replace(/:[^:/]*$/, '');
    const repositories = [...MIRROR_SETTINGS.repositories, { source, mirror: `localhost:22626/${source}` }];
    const { ignition } = patch(before, { version, repositories, tagged: [UBI] });
    expect(
      diffIgnition(before, ignition)
        .map(({ path }) => path)
        .sort(),
    ).toEqual([REGISTRIES_CONF, IDMS, ITMS, BUNDLE, TRUST, ANCHOR, CERTS_D].sort());
    const conf = ignition.files.find(({ path }) => path === REGISTRIES_CONF);
    expect(conf?.mode).toBe(0o644);
    expect(fileText(ignition, '/usr/local/bin/bootkube.sh')).toBe(
      fileText(before, '/usr/local/bin/bootkube.sh'),
    );
    if (version !== '4.13.1')
      expect(fileText(ignition, '/usr/local/bin/bootkube.sh')).toContain(
        'manifests/image-digest-mirror-set.yaml',
      );
    if (HAS_IGNITION_VALIDATE) expect(ignitionValidate(serializeIgnition(ignition))).toBe('');
  });
});
