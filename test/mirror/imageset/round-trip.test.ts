import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import {
  formatImageSet,
  type ImageSetDocument,
  parseImageSetDocument,
} from '../../../src/mirror/imageset/document.ts';
import { parseImageSet } from '../../../src/mirror/imageset/parse.ts';
import { OC_MIRROR_FOLDER } from '../../support/oc-mirror-world.ts';

const DIGEST = `sha256:${'b'.repeat(64)}`;

/** What a set means, without where its parts were written. */
function meaning(text: string): unknown {
  const set = parseImageSet(text, 'set.yaml');
  const { ignored, ...rest } = JSON.parse(
    JSON.stringify(set, (key, value: unknown) => (key === 'place' ? undefined : value)),
  ) as { ignored: { key: string }[] };
  return { ...rest, ignored: ignored.map(({ key }) => key).sort() };
}

function checkRoundTrip(text: string): void {
  const { value } = parseImageSetDocument(text, 'set.yaml');
  const written = formatImageSet(value);
  expect(parseImageSetDocument(written, 'set.yaml').value).toEqual(value);
  expect(meaning(written)).toEqual(meaning(text));
  expect(formatImageSet(parseImageSetDocument(written, 'set.yaml').value)).toBe(written);
}

const shipped = new URL('../../../imagesets/', import.meta.url);
const files = readdirSync(shipped).filter((file) => file.endsWith('.yaml'));

test.each(files)('imagesets/%s', (file) => {
  checkRoundTrip(readFileSync(new URL(file, shipped), 'utf8'));
});

test('the image sets of the oc-mirror cases that can be read', () => {
  const cases = readdirSync(join(OC_MIRROR_FOLDER, 'cases'));
  let read = 0;
  for (const name of cases) {
    const text = readFileSync(join(OC_MIRROR_FOLDER, 'cases', name, 'imageset.yaml'), 'utf8')
      .replaceAll('REGISTRY', 'registry.example.com')
      .replace(/@\{[^{}]+\}/g, `@${DIGEST}`);
    let set: ImageSetDocument;
    try {
      set = parseImageSetDocument(text, name).value;
    } catch {
      continue;
    }
    read += 1;
    expect(parseImageSetDocument(formatImageSet(set), name).value, name).toEqual(set);
  }
  expect(cases.length - read).toBeLessThanOrEqual(10);
  expect(read).toBeGreaterThan(150);
});

const fixture = join(process.env.EDGEFAB_FIXTURES ?? '', 'imageset/4.13.1/imageset.yaml');
const hasFixture = process.env.EDGEFAB_FIXTURES !== undefined && existsSync(fixture);

test.skipIf(!hasFixture)('the set of a real cache (skipped without EDGEFAB_FIXTURES)', () => {
  checkRoundTrip(readFileSync(fixture, 'utf8'));
});

const MIRROR = {
  platform: {
    graph: true,
    channels: [
      {
        name: 'stable-4.18',
        type: 'okd' as const,
        minVersion: '4.18.1',
        maxVersion: '4.18.10',
        shortestPath: true,
        full: false,
      },
    ],
    release: `quay.io/openshift-release-dev/ocp-release@${DIGEST}`,
  },
  additionalImages: [{ name: 'quay.io/org/tool:v1' }],
  blockedImages: [{ name: '\\baws\\b' }, { name: '^quay\\.io/org/.*:v1$' }],
  samples: [{ name: 'ruby' }],
};
const CHART = { name: 'c', version: '1.10', path: '/c.tgz', imagePaths: ['{.spec.image}'] };
const OPERATOR = {
  catalog: 'registry.redhat.io/redhat/redhat-operator-index:v4.18',
  full: true,
  skipDependencies: true,
  targetCatalog: 'a/b',
  targetTag: 'v1',
};
const RANGE = { minVersion: '4.10', maxVersion: '1e3' };
const PLATFORMS = [{ os: 'linux', architecture: 'arm64' }];

test.each<[string, ImageSetDocument]>([
  ['nothing but its head', { apiVersion: 'mirror.openshift.io/v2alpha1', kind: 'ImageSetConfiguration' }],
  [
    'every key of v1alpha2',
    {
      apiVersion: 'mirror.openshift.io/v1alpha2',
      kind: 'ImageSetConfiguration',
      archiveSize: 4,
      storageConfig: {
        registry: { imageURL: 'localhost:5000/meta', skipTLS: true },
        local: { path: '/tmp/x y' },
      },
      mirror: {
        ...MIRROR,
        platform: { ...MIRROR.platform, architectures: ['amd64', 'arm64'] },
        operators: [
          {
            ...OPERATOR,
            targetName: 'n',
            originalRef: 'o',
            packages: [
              {
                name: 'p',
                ...RANGE,
                minBundle: 'p.v1',
                defaultChannel: 'yes',
                channels: [{ name: '4.10', ...RANGE, minBundle: 'p.v1' }],
              },
            ],
          },
        ],
        helm: {
          repositories: [
            { name: 'r', url: 'https://charts.example.com', charts: [CHART] },
            { name: 'all', url: 'x' },
          ],
          local: [CHART],
        },
      },
    },
  ],
  [
    'every key of v2alpha1',
    {
      apiVersion: 'mirror.openshift.io/v2alpha1',
      kind: 'ImageSetConfiguration',
      archiveSize: 4,
      mirror: {
        ...MIRROR,
        platform: { ...MIRROR.platform, platforms: PLATFORMS, kubeVirtContainer: true },
        operators: [
          {
            ...OPERATOR,
            targetCatalogSourceTemplate: '/t.yaml',
            platforms: PLATFORMS,
            packages: [
              { name: 'p', ...RANGE, defaultChannel: 'null', channels: [{ name: '~', ...RANGE }] },
              { name: 'q', bundles: [{ name: 'q.v1.0.0' }] },
            ],
          },
        ],
        additionalImages: [
          { name: 'quay.io/org/tool:v1', targetRepo: 'a/b', targetTag: 'v2', platforms: PLATFORMS },
        ],
        helm: {
          local: [
            {
              ...CHART,
              platforms: [],
              values: { a: { b: [1, 1.5, true, 'true', 'two\nlines\n', ' led', '- x', 'k: v', '#no', ''] } },
            },
          ],
        },
      },
    },
  ],
])('a set with %s comes back as it was', (_, set) => {
  const text = formatImageSet(set);
  expect(parseImageSetDocument(text, 'set.yaml').value).toEqual(set);
  checkRoundTrip(text);
});

test('the order in which keys were given does not show', () => {
  const { apiVersion, kind, mirror } = parseImageSetDocument(
    'kind: ImageSetConfiguration\nmirror: { platform: { channels: [{ maxVersion: 4.18.2, name: stable-4.18 }] } }\napiVersion: mirror.openshift.io/v2alpha1\n',
    'set.yaml',
  ).value;
  expect(
    formatImageSet({ mirror, kind, apiVersion } as ImageSetDocument),
  ).toBe(`apiVersion: mirror.openshift.io/v2alpha1
kind: ImageSetConfiguration
mirror:
  platform:
    channels:
      - name: stable-4.18
        maxVersion: 4.18.2
`);
});
