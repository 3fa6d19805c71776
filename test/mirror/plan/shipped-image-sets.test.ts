import { readdirSync, readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { parseImageSet } from '../../../src/mirror/imageset/parse.ts';
import { planPull } from '../../../src/mirror/plan/plan.ts';
import { imageSetImages } from '../../../src/mirror/resolve/image-set-images.ts';
import { resolveImages } from '../../../src/mirror/resolve/resolve.ts';
import { COMPONENTS, makePublicWorld } from '../../support/image-set-double.ts';
import type { MadeUpPackage } from '../resolve/catalog/made-up-catalog.ts';

const FOLDER = new URL('../../../imagesets/', import.meta.url);

/** Channels of a package, each with its versions, lowest first. */
function made(name: string, channels: Readonly<Record<string, readonly string[]>>): MadeUpPackage {
  return {
    channels: Object.fromEntries(
      Object.entries(channels).map(([channel, versions]) => [
        channel,
        versions.map((version, at) => ({
          name: `${name}.v${version}`,
          ...(versions[at - 1] === undefined ? {} : { replaces: `${name}.v${versions[at - 1]}` }),
        })),
      ]),
    ),
  };
}

function packages(
  all: Readonly<Record<string, Readonly<Record<string, readonly string[]>>>>,
): Record<string, MadeUpPackage> {
  return Object.fromEntries(Object.entries(all).map(([name, channels]) => [name, made(name, channels)]));
}

const NEIGHBOURS = { mce: ['2.2.3', '2.2.4', '2.2.5'], mtv: ['2.4.0', '2.4.1', '2.4.2'] };
const GPU = packages({
  'gpu-operator-certified': { 'v23.3': ['23.3.1', '23.3.2', '23.3.3'], 'v23.6': ['23.6.0'] },
});

/** Each version that is asked for stands between others that are not. */
const world = makePublicWorld(
  {
    'stable-4.12': ['4.12.17', '4.12.18', '4.12.19'],
    'stable-4.13': ['4.13.0', '4.13.1', '4.13.2'],
    'stable-4.22': ['4.22.12', '4.22.14', '4.22.15'],
    'stable-scos-4': ['4.20.0-okd-scos.17', '4.21.0-okd-scos.10', '4.21.0-okd-scos.11', '4.22.0-okd-scos.0'],
  },
  {
    'registry.redhat.io/redhat/redhat-operator-index:v4.12': packages({
      'multicluster-engine': { 'stable-2.2': NEIGHBOURS.mce, 'stable-2.3': ['2.3.0'] },
      'lvms-operator': { 'stable-4.12': ['4.12.0', '4.12.1', '4.12.2'] },
      nfd: { stable: ['4.12.0-202304211142', '4.12.0-202305101515', '4.12.0-202305221626'] },
      'mtv-operator': { 'release-v2.4': NEIGHBOURS.mtv },
      'kubevirt-hyperconverged': { stable: ['4.12.2', '4.12.3', '4.12.4'] },
      'kubernetes-nmstate-operator': { stable: ['4.12.0-202304211142', '4.12.0-202305101515'] },
      'never-asked-for': { stable: ['1.0.0'] },
    }),
    'registry.redhat.io/redhat/certified-operator-index:v4.12': GPU,
    'registry.redhat.io/redhat/redhat-operator-index:v4.13': packages({
      'multicluster-engine': { 'stable-2.2': NEIGHBOURS.mce },
      'lvms-operator': { 'stable-4.13': ['4.13.0', '4.13.1', '4.13.2'] },
      nfd: { stable: ['4.13.0-202305221626', '4.13.0-202305262054', '4.13.0-202306072143'] },
      'mtv-operator': { 'release-v2.4': NEIGHBOURS.mtv },
      'kubevirt-hyperconverged': { stable: ['4.12.4', '4.13.0', '4.13.1'] },
      'kubernetes-nmstate-operator': { stable: ['4.13.0-202305262054', '4.13.0-202306072143'] },
    }),
    'registry.redhat.io/redhat/certified-operator-index:v4.13': GPU,
    'registry.redhat.io/redhat/redhat-operator-index:v4.22': packages({
      'lvms-operator': { 'stable-4.22': ['4.22.0', '4.22.1'], 'stable-4.21': ['4.21.0'] },
      'local-storage-operator': { stable: ['4.22.0-202609010000'] },
      'kubernetes-nmstate-operator': { stable: ['4.22.0-202608010000', '4.22.0-202609010000'] },
      'sriov-network-operator': { stable: ['4.22.0-202609010000'] },
      'ptp-operator': { stable: ['4.22.0-202609010000'] },
      'cluster-logging': { 'stable-6.5': ['6.5.0', '6.5.1'], 'stable-6.4': ['6.4.9'] },
    }),
  },
);

const PINNED_2023 = ['gpu-operator-certified.v23.3.2', 'mtv-operator.v2.4.1', 'multicluster-engine.v2.2.4'];

const SETS: Readonly<Record<string, { release: string; bundles: readonly string[]; catalogs: number }>> = {
  '4.12.18.yaml': {
    release: '4.12.18',
    catalogs: 2,
    bundles: [
      ...PINNED_2023,
      'kubernetes-nmstate-operator.v4.12.0-202305101515',
      'kubevirt-hyperconverged.v4.12.3',
      'lvms-operator.v4.12.1',
      'nfd.v4.12.0-202305101515',
    ],
  },
  '4.13.1.yaml': {
    release: '4.13.1',
    catalogs: 2,
    bundles: [
      ...PINNED_2023,
      'kubernetes-nmstate-operator.v4.13.0-202305262054',
      'kubevirt-hyperconverged.v4.13.0',
      'lvms-operator.v4.13.1',
      'nfd.v4.13.0-202305262054',
    ],
  },
  '4.22.14.yaml': {
    release: '4.22.14',
    catalogs: 1,
    bundles: [
      // It has no channel there, so the heads of all of them count.
      'cluster-logging.v6.4.9',
      'cluster-logging.v6.5.1',
      'kubernetes-nmstate-operator.v4.22.0-202609010000',
      'local-storage-operator.v4.22.0-202609010000',
      'lvms-operator.v4.22.1',
      'ptp-operator.v4.22.0-202609010000',
      'sriov-network-operator.v4.22.0-202609010000',
    ],
  },
  'okd-4.21.yaml': { release: '4.21.0-okd-scos.11', catalogs: 0, bundles: [] },
};

test('every image set that is shipped is planned here', () => {
  const files = readdirSync(FOLDER, { withFileTypes: true }).filter((entry) => entry.isFile());
  expect(files.map(({ name }) => name).sort()).toEqual(Object.keys(SETS).sort());
});

test.each(Object.entries(SETS))('imagesets/%s is planned', async (file, expected) => {
  const set = parseImageSet(readFileSync(new URL(file, FOLDER), 'utf8'), file);
  expect([set.ignored, set.helm, set.samples]).toEqual([[], [], []]);
  const { wanted, releases, ignored } = await imageSetImages(set, world, {
    architecture: 'amd64',
    graph: world.graph,
  });
  expect(releases.map(({ version }) => version)).toEqual([expected.release]);
  expect(ignored).toEqual([]);
  const bundles = wanted.flatMap(({ reference }) => /-bundle:(.+)$/.exec(reference)?.[1] ?? []);
  expect([...new Set(bundles)].sort()).toEqual([...expected.bundles].sort());

  const images = await resolveImages(wanted, world, { architecture: 'amd64', parallel: 2 });
  const operators = expected.bundles.length;
  // A bundle and its manager each, and one proxy they all share.
  const count = 1 + COMPONENTS.length + expected.catalogs + 2 * operators + (operators === 0 ? 0 : 1);
  expect(planPull(images, new Set())).toMatchObject({ images: count, heldBytes: 0 });
  expect(images.filter(({ roles }) => roles.includes('os')).map(({ mirrorNames }) => mirrorNames)).toEqual([
    [`openshift/release:${expected.release}-x86_64-rhel-coreos`],
  ]);
  expect(images.filter(({ roles }) => roles.includes('bootstrap')).length).toBeGreaterThanOrEqual(5);
});
