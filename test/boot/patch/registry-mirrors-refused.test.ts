import { describe, expect, test } from 'vitest';
import type { Ignition } from '../../../src/boot/ignition/ignition.ts';
import type { RegistryMirrorsSettings } from '../../../src/boot/patch/registry-mirrors.ts';
import { registryMirrorsStep } from '../../../src/boot/patch/registry-mirrors.ts';
import { bipIgnition } from '../../support/bip-ignition.ts';
import { registryCa } from '../../support/registry-ca.ts';
import { CA, file, IDMS, MIRROR_SETTINGS, TEST_CA, UBI, withConf } from '../../support/registry-mirrors.ts';

describe('registry-mirrors refuses', () => {
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
