import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { EdgefabError } from '../../../src/errors.ts';
import { parseImageSet } from '../../../src/mirror/imageset/parse.ts';

const V1 = 'apiVersion: mirror.openshift.io/v1alpha2\nkind: ImageSetConfiguration\n';
const V2 = 'apiVersion: mirror.openshift.io/v2alpha1\nkind: ImageSetConfiguration\n';
const DIGEST = `sha256:${'b'.repeat(64)}`;

function faults(text: string): string[] {
  try {
    parseImageSet(text, 'set.yaml');
  } catch (error) {
    if (!(error instanceof EdgefabError)) throw error;
    expect(error).toMatchObject({ code: 'IMAGESET_INVALID', exitCode: 3 });
    return error.message
      .split('\n')
      .slice(1)
      .map((line) => line.trim());
  }
  return expect.fail('was accepted');
}

function checkRealSet(text: string): void {
  const set = parseImageSet(text, 'imageset.yaml');
  expect(set).toMatchObject({
    apiVersion: 'mirror.openshift.io/v1alpha2',
    platform: {
      channels: [
        { name: 'stable-4.13', type: 'ocp', minVersion: '4.13.1', maxVersion: '4.13.1', full: false },
      ],
    },
    additionalImages: [],
    ignored: [],
  });
  expect(set.operators.map(({ catalog, packages }) => [catalog, packages.map(({ name }) => name)])).toEqual([
    [
      'registry.redhat.io/redhat/redhat-operator-index:v4.13',
      [
        'multicluster-engine',
        'lvms-operator',
        'nfd',
        'mtv-operator',
        'kubevirt-hyperconverged',
        'kubernetes-nmstate-operator',
      ],
    ],
    ['registry.redhat.io/redhat/certified-operator-index:v4.13', ['gpu-operator-certified']],
  ]);
  expect(set.operators[1]?.packages[0]?.channels).toEqual([
    { name: 'v23.3', minVersion: '23.3.2', maxVersion: '23.3.2' },
  ]);
}

test('imagesets/4.13.1.yaml', () => {
  checkRealSet(readFileSync(new URL('../../../imagesets/4.13.1.yaml', import.meta.url), 'utf8'));
});

const fixture = join(process.env.EDGEFAB_FIXTURES ?? '', 'imageset/4.13.1/imageset.yaml');
const hasFixture = process.env.EDGEFAB_FIXTURES !== undefined && existsSync(fixture);

test.skipIf(!hasFixture)(
  'the set a real 4.13.1 cache was made from (skipped without EDGEFAB_FIXTURES)',
  () => {
    const text = readFileSync(fixture, 'utf8');
    checkRealSet(text);
    const ours = readFileSync(new URL('../../../imagesets/4.13.1.yaml', import.meta.url), 'utf8');
    const bare = (set: string): unknown =>
      JSON.parse(
        JSON.stringify(parseImageSet(set, 'x'), (key, value: unknown) =>
          key === 'place' ? undefined : value,
        ),
      );
    expect(bare(ours)).toEqual(bare(text));
  },
);

test('every key of v1alpha2', () => {
  const set = parseImageSet(
    `${V1}archiveSize: 4
storageConfig: { registry: { imageURL: localhost:5000/meta, skipTLS: true }, local: { path: /tmp/x } }
mirror:
  platform:
    graph: true
    architectures: [amd64, arm64]
    release: quay.io/openshift-release-dev/ocp-release@${DIGEST}
    channels: [{ name: stable-4.13, type: okd, minVersion: 4.13.1, maxVersion: 4.13.2, shortestPath: true, full: true }]
  operators:
    - catalog: registry.redhat.io/redhat/redhat-operator-index:v4.13
      targetName: a
      targetCatalog: a/b
      targetTag: v1
      originalRef: x
      full: true
      skipDependencies: true
      packages: [{ name: p, minVersion: 1.0.0, minBundle: p.v1.0.0, defaultChannel: c, channels: [{ name: c, minBundle: p.v1 }] }]
  additionalImages: [{ name: quay.io/org/tool:v1 }]
  blockedImages: [{ name: quay.io/org/bad }]
  samples: [{ name: ruby }]
  helm:
    repositories: [{ name: r, url: https://charts.example.com, charts: [{ name: c, version: 1.2.3, imagePaths: [a.b] }] }]
    local: [{ name: l, path: /charts/l.tgz }]
`,
    'set.yaml',
  );
  expect(set).toMatchObject({
    platform: {
      release: { reference: { domain: 'quay.io', digest: DIGEST }, place: { line: 9, col: 14 } },
      architectures: ['amd64', 'arm64'],
      channels: [{ type: 'okd', shortestPath: true, full: true, place: { line: 10, col: 24 } }],
    },
    operators: [
      {
        full: true,
        skipDependencies: true,
        packages: [
          {
            name: 'p',
            minVersion: '1.0.0',
            minBundle: 'p.v1.0.0',
            defaultChannel: 'c',
            channels: [{ name: 'c', minBundle: 'p.v1' }],
          },
        ],
      },
    ],
    additionalImages: [{ reference: { domain: 'quay.io', path: 'org/tool', tag: 'v1' } }],
    helm: [
      { name: 'c', version: '1.2.3', repository: 'https://charts.example.com' },
      { name: 'l', path: '/charts/l.tgz' },
    ],
  });
  expect(set.ignored.map(({ key, place }) => `${key}:${place.line}`)).toEqual([
    'archiveSize:3',
    'storageConfig:4',
    'targetCatalog:14',
    'targetTag:15',
    'targetName:13',
    'originalRef:16',
  ]);
});

test('every key of v2alpha1', () => {
  const set = parseImageSet(
    `${V2}archiveSize: 4
mirror:
  platform:
    platforms: [{ os: linux, architecture: arm64 }]
    kubeVirtContainer: true
  operators:
    - catalog: oci:///home/me/catalog
      targetCatalogSourceTemplate: /x.yaml
      platforms: [{ os: linux, architecture: amd64 }]
      packages: [{ name: p, defaultChannel: stable, bundles: [{ name: p.v1.0.0 }], channels: [{ name: c }] }]
  additionalImages: [{ name: quay.io/org/tool:v1, targetRepo: a/b, targetTag: v2, platforms: [] }]
  helm: { local: [{ name: l, path: /l.tgz, values: { a: { b: 1 } } }] }
`,
    'set.yaml',
  );
  expect(set).toMatchObject({
    platform: { architectures: ['multi'], kubeVirtContainer: { place: { line: 7 } } },
    operators: [{ packages: [{ defaultChannel: 'stable', bundles: ['p.v1.0.0'] }] }],
  });
  expect(set.ignored.map(({ key }) => key)).toEqual([
    'archiveSize',
    'targetCatalogSourceTemplate',
    'targetRepo',
    'targetTag',
  ]);
});

describe('refuses', () => {
  test.each<[string, string, string[]]>([
    [
      'another version',
      'apiVersion: mirror.openshift.io/v1beta1\nkind: ImageSetConfiguration\n',
      [
        'set.yaml:1:13  apiVersion: found "mirror.openshift.io/v1beta1", expected one of mirror.openshift.io/v1alpha2, mirror.openshift.io/v2alpha1 (did you mean mirror.openshift.io/v1alpha2?)',
      ],
    ],
    [
      'no version',
      'kind: ImageSetConfiguration\n',
      [
        'set.yaml:1:1  apiVersion: missing, expected one of mirror.openshift.io/v1alpha2, mirror.openshift.io/v2alpha1',
      ],
    ],
    [
      'another kind',
      V1.replace('ImageSetC', 'DeleteImageSetC'),
      [
        expect.stringMatching(
          /^set.yaml:2:7 {2}kind: found "DeleteImageSetConfiguration", expected ImageSetConfiguration/,
        ) as unknown as string,
      ],
    ],
    [
      'unknown keys at each level',
      `${V1}mirrors: {}\nmirror:\n  operator: []\n  platform:\n    channels: [{ name: a, minversion: 4.13.1 }]\n`,
      [
        'set.yaml:3:1  mirrors: unknown key (did you mean mirror?)',
        'set.yaml:5:3  mirror.operator: unknown key (did you mean operators?)',
        'set.yaml:7:27  mirror.platform.channels[0].minversion: unknown key (did you mean minVersion?)',
      ],
    ],
    [
      'a key of v2 in v1',
      `${V1}mirror: { additionalImages: [{ name: quay.io/a/b:c, targetRepo: x }] }\n`,
      ['set.yaml:3:53  mirror.additionalImages[0].targetRepo: unknown key, expected one of name'],
    ],
    [
      'a version that YAML reads as a number',
      `${V1}mirror: { operators: [{ catalog: a, packages: [{ name: p, minVersion: 4.10 }] }] }\n`,
      [
        'set.yaml:3:71  mirror.operators[0].packages[0].minVersion: found 4.10, expected a version as text, for example 4.13.1 (write it in quotes: "4.10")',
      ],
    ],
    [
      'a short image name',
      `${V1}mirror: { additionalImages: [{ name: busybox }] }\n`,
      [
        'set.yaml:3:38  mirror.additionalImages[0].name: image reference "busybox" names no registry host. Write the whole name, for example quay.io/busybox or docker.io/library/busybox',
      ],
    ],
    [
      'images as text',
      `${V1}mirror: { additionalImages: [quay.io/a/b:c] }\n`,
      ['set.yaml:3:30  mirror.additionalImages[0]: found "quay.io/a/b:c", expected a map with name'],
    ],
    [
      'an architecture by its kernel name',
      `${V1}mirror: { platform: { architectures: [x86_64] } }\n`,
      [
        'set.yaml:3:39  mirror.platform.architectures[0]: found "x86_64", expected one of amd64, arm64, ppc64le, s390x, multi',
      ],
    ],
    [
      'two ways to name the architecture',
      `${V2}mirror:\n  platform: { architectures: [amd64], platforms: [{ os: linux, architecture: amd64 }] }\n`,
      ['set.yaml:4:50  mirror.platform.platforms: stands beside architectures, want one of the two'],
    ],
  ])('%s', (_name, text, want) => {
    expect(faults(text)).toEqual(want);
  });
});
