import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import type { Catalog } from '../../../../src/mirror/resolve/catalog/catalog.ts';
import type {
  CatalogRequest,
  CatalogSemantics,
} from '../../../../src/mirror/resolve/catalog/catalog-request.ts';
import { filterCatalog } from '../../../../src/mirror/resolve/catalog/filter-catalog.ts';
import { listCatalog } from '../../../../src/mirror/resolve/catalog/list-catalog.ts';
import { readCatalog } from '../../../../src/mirror/resolve/catalog/read-catalog.ts';
import { imageOf, packings } from './index-image.ts';

const fixtures = process.env.EDGEFAB_FIXTURES;
const FILES = [
  'aws-load-balancer-operator/catalog.json',
  'node-observability-operator/catalog.json',
  'diff/foo-bar-baz.yaml',
];

describe.skipIf(fixtures === undefined)('real catalog files (needs EDGEFAB_FIXTURES)', () => {
  let catalog: Catalog;
  beforeAll(async () => {
    const members = FILES.map((file) => [
      `configs/${file}`,
      readFileSync(join(fixtures ?? '', 'catalog', file), 'utf8'),
    ]);
    catalog = await readCatalog(await imageOf([Object.fromEntries(members)], packings.gzip), 'fixtures');
  });

  it('reads them', () => {
    expect(
      listCatalog(catalog).packages.map(({ name, defaultChannel }) => `${name} ${defaultChannel}`),
    ).toEqual([
      'aws-load-balancer-operator stable-v0.1',
      'bar stable',
      'baz stable',
      'foo beta',
      'node-observability-operator alpha',
    ]);
    expect(
      listCatalog(catalog, { package: 'bar' }).channels.map(({ channel, head }) => `${channel} ${head}`),
    ).toEqual(['alpha bar.v1.0.0', 'stable bar.v1.0.0']);
  });

  const HEADS = ['bar/alpha 1.0.0', 'bar/stable 1.0.0', 'baz/stable 1.1.0', 'foo/beta 0.3.1'];
  const trio = { packages: [{ name: 'foo' }, { name: 'bar' }, { name: 'baz' }] };
  it.each<[string, CatalogRequest, CatalogSemantics, string[]]>([
    ['heads, v1', trio, 'v1alpha2', HEADS],
    ['heads, v2', trio, 'v2alpha1', HEADS],
    // What oc-mirror's own tests expect of this index: foo needs a bar below 0.2.0, and that its updates.
    [
      'heads and what they need',
      { ...trio, followDependencies: true },
      'v1alpha2',
      ['bar/alpha 0.1.0 0.2.0 1.0.0', ...HEADS.slice(1)],
    ],
    [
      'a way up',
      { packages: [{ name: 'foo', minVersion: '0.2.0' }] },
      'v1alpha2',
      ['foo/beta 0.2.0 0.3.0 0.3.1'],
    ],
    [
      'skips, v2',
      { packages: [{ name: 'baz', minVersion: '1.0.1' }] },
      'v2alpha1',
      ['baz/stable 1.0.1 1.1.0'],
    ],
    [
      'skips, v1',
      { packages: [{ name: 'baz', minVersion: '1.0.1' }] },
      'v1alpha2',
      ['baz/stable 1.0.1 1.1.0'],
    ],
    [
      'real ones',
      { packages: [{ name: 'aws-load-balancer-operator', channels: [{ name: 'stable-v0.1' }] }] },
      'v2alpha1',
      ['aws-load-balancer-operator/stable-v0.1 0.0.1'],
    ],
  ])('%s', (_, request, semantics, expected) => {
    const { packages } = filterCatalog(catalog, request, semantics);
    const lines = packages.flatMap(({ name, channels }) =>
      channels.map(
        (channel) => `${name}/${channel.name} ${channel.bundles.map(({ version }) => version).join(' ')}`,
      ),
    );
    expect(lines).toEqual(expected);
  });

  it('names the images of a real bundle', () => {
    const request = { packages: [{ name: 'node-observability-operator' }] };
    const { images } = filterCatalog(catalog, request, 'v2alpha1');
    // Five related images, of which two are the same.
    expect(images).toHaveLength(4);
    expect(images.every(({ image }) => /@sha256:[0-9a-f]{64}$/.test(image))).toBe(true);
    expect(images.filter(({ kind }) => kind === 'bundle')).toEqual([
      {
        image:
          'registry.redhat.io/noo/node-observability-operator-bundle-rhel8@sha256:25b8e1c8ed635364d4dcba7814ad504570b1c6053d287ab7e26c8d6a97ae3f6a',
        kind: 'bundle',
        requiredBy: ['operator node-observability-operator.v0.1.0'],
      },
    ]);
  });
});
