import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { diffIgnition } from '../../../src/boot/ignition/diff-ignition.ts';
import { fileText } from '../../../src/boot/ignition/file-contents.ts';
import { loadIgnition } from '../../../src/boot/ignition/load-ignition.ts';
import { parseIgnitionText, serializeIgnition } from '../../../src/boot/ignition/parse-ignition.ts';
import { releaseImage } from '../../../src/boot/ignition/release-image.ts';
import { bipIgnition, FIXTURES } from '../../support/bip-ignition.ts';
import { HAS_IGNITION_VALIDATE, ignitionValidate } from '../../support/ignition-validate.ts';
import {
  ANCHOR,
  BUNDLE,
  CA,
  CERTS_D,
  ICSP,
  IDMS,
  ITMS,
  MIRROR_SETTINGS,
  patchMirrors,
  REGISTRIES_CONF,
  TRUST,
  UBI,
  yamlOf,
} from '../../support/registry-mirrors.ts';

describe('a config without any of it gets', () => {
  const before = bipIgnition();
  const { ignition, report } = patchMirrors(before);

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
    expect(patchMirrors(before, { repositories }).ignition.text).toBe(ignition.text);
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
    const { ignition } = patchMirrors(bipIgnition(), { version });
    const manifest = yamlOf(ignition, path);
    expect([manifest.kind, manifest.apiVersion, manifest.spec[list].length]).toEqual([kind, apiVersion, 3]);
    expect([ICSP, IDMS, ITMS].filter((each) => fileText(ignition, each) !== undefined)).toEqual([path]);
  });
  test('4.13 with a tag', () => {
    const { ignition } = patchMirrors(bipIgnition(), { version: '4.13.1', tagged: [UBI, UBI] });
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

describe.skipIf(!HAS_IGNITION_VALIDATE)('Ignition itself accepts (needs ignition-validate)', () => {
  test.each(['4.13', '4.18', '4.21'] as const)('the made-up %s, patched', (line) => {
    const { ignition } = patchMirrors(bipIgnition({ line }), { version: `${line}.0`, tagged: [UBI] });
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
    const { ignition } = patchMirrors(before, { version, repositories, tagged: [UBI] });
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
