import { expect, test } from 'vitest';
import type { OwnFile } from '../../../src/boot/patch/own-content.ts';
import { unsharedBy } from '../../../src/factory/spill/unshared-by.ts';

const site = (name: string, overlays: readonly string[], manifests: readonly string[] = []) => ({
  name,
  overlays: [...overlays],
  manifests: [...manifests],
});
const ALL = '/f/all.bu';
const ONE = '/f/one.bu';
const sites = [
  site('a', [ALL, ONE], ['/f/m.yaml', '/f/a/n.yaml']),
  site('b', [ALL], ['/f/m.yaml', '/f/b/n.yaml']),
  site('c', [ALL], ['/f/m.yaml']),
  site('d', [ALL], ['/f/m.yaml']),
  site('e', [ALL], ['/f/m.yaml']),
];

test.each<[string, OwnFile['kind'], string[], string | undefined]>([
  ['an overlay of all', 'overlays', [ALL], undefined],
  [
    'an overlay of one',
    'overlays',
    [ONE],
    `${ONE} is not one of the overlays of every site (b, c, d and 1 more without it)`,
  ],
  [
    'one of all and one of one',
    'overlays',
    [ALL, ONE],
    `${ONE} is not one of the overlays of every site (b, c, d and 1 more without it)`,
  ],
  ['a manifest of all, by its name', 'manifests', ['m.yaml'], undefined],
  [
    'a manifest whose name is that of another',
    'manifests',
    ['n.yaml'],
    '/f/a/n.yaml is not one of the manifests of every site (b, c, d and 1 more without it)',
  ],
  [
    'one that no list has',
    'manifests',
    ['x.yaml'],
    "it is not known which of the site's manifests brings /opt/x",
  ],
])('%s', (_name, kind, from, want) => {
  const file: OwnFile = { path: '/opt/x', kind, from, replaces: false };
  expect(unsharedBy(file, site('a', [ALL, ONE], ['/f/m.yaml', '/f/a/n.yaml']), sites)).toBe(want);
});

test('a factory of one site has nothing that another lacks', () => {
  const file: OwnFile = { path: '/opt/x', kind: 'overlays', from: [ONE], replaces: false };
  expect(unsharedBy(file, site('a', [ONE]), [site('a', [ONE])])).toBeUndefined();
});
