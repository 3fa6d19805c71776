import { describe, expect, test } from 'vitest';
import { fileText } from '../../../src/boot/ignition/file-contents.ts';
import { registryMirrorsStep } from '../../../src/boot/patch/registry-mirrors.ts';
import { loopbackLeaf, registryCa } from '../../support/registry-ca.ts';
import {
  ALL,
  ANCHOR,
  BUNDLE,
  CA,
  CERTS_D,
  ICSP,
  IDMS,
  INSTALLER_ANCHOR,
  ITMS,
  installerMade,
  MIRROR_SETTINGS,
  patchMirrors,
  REGISTRIES_CONF,
  TEST_CA,
  TOML,
  TRUST,
  UBI,
  withConf,
  yamlOf,
} from '../../support/registry-mirrors.ts';

describe('a config the installer made with mirrors', () => {
  const own = [`manifest ${TRUST}`];

  test.each([
    ['an ICSP', 'ICSP', '4.13.1'],
    ['an IDMS', 'IDMS', '4.18.9'],
  ] as const)('with %s is left alone but for the CA in its own place', (_name, kind, version) => {
    const before = withConf(TOML, installerMade(kind, CA, ALL));
    const { ignition, report } = patchMirrors(before, { version });
    expect(report.changes).toEqual([`file ${CERTS_D}`, ...own]);
    expect(fileText(ignition, REGISTRIES_CONF)).toBe(TOML);
  });

  test('gets registries.conf that all can read', () => {
    const before = withConf(TOML, installerMade('ICSP', CA, ALL), 0o600);
    const { ignition, report } = patchMirrors(before, { version: '4.13.1' });
    expect(report.changes).toEqual([`file ${REGISTRIES_CONF}`, `file ${CERTS_D}`, ...own]);
    const conf = ignition.files.find(({ path }) => path === REGISTRIES_CONF);
    expect([conf?.mode, fileText(ignition, REGISTRIES_CONF)]).toEqual([0o644, TOML]);
  });

  test('is completed, and keeps what is its own', () => {
    const [first = '', second = ''] = ALL;
    const manifests = installerMade('IDMS', CA, [first]);
    const toml = `unqualified-search-registries = ["docker.io"]\n\n[[registry]]\nprefix = "${second}"\nlocation = "${second}"\n[[registry.mirror]]\nlocation = "mirror.example.com/b"\n`;
    const { ignition } = patchMirrors(withConf(toml, manifests));
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
    const { ignition } = patchMirrors(before, { version: '4.13.1', tagged: [UBI] });
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
    const { ignition, report } = patchMirrors(before, { version: '4.14.3', tagged: [UBI] });
    expect(yamlOf(ignition, ICSP).kind).toBe('ImageContentSourcePolicy');
    expect(report.changes).toEqual([`manifest ${ITMS}`, `file ${CERTS_D}`, ...own]);
  });

  test('with a trust bundle of its own keeps that, and gets the CA after it', () => {
    const corporate = loopbackLeaf(TEST_CA).certificate; // any certificate with another name
    const before = withConf(TOML, installerMade('IDMS', corporate, ALL));
    const { ignition, report } = patchMirrors(before);
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
