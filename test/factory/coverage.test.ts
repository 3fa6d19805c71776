import { rmSync, truncateSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import type { Ignition } from '../../src/boot/ignition/ignition.ts';
import { loadIgnition } from '../../src/boot/ignition/load-ignition.ts';
import { type CoverageOptions, proveCoverage } from '../../src/factory/coverage.ts';
import { demoBipIgnition } from '../../src/factory/demo/bip-ignition.ts';
import type { DemoIgnitionOptions } from '../../src/factory/demo/demo-ignition-options.ts';
import { graphSource } from '../../src/factory/graph-source.ts';
import { loadFactory } from '../../src/factory/load.ts';
import { factoryRequest } from '../../src/factory/mirror-request.ts';
import { precache } from '../../src/factory/precache.ts';
import { resolveLock } from '../../src/factory/resolve-lock.ts';
import { realHost } from '../../src/host/real-host.ts';
import type { Lock, LockedImage } from '../../src/mirror/resolve/lock.ts';
import { storePaths } from '../../src/mirror/store/store-paths.ts';
import { createRegistryClient } from '../../src/oci/client.ts';
import type { Digest } from '../../src/oci/digest.ts';
import { makeFactory } from '../support/made-factory.ts';

const SERVED = async (): Promise<undefined> => undefined;

interface World {
  readonly ignition: Ignition;
  readonly lock: Lock;
  readonly root: string;
}

/** A factory with a full cache of its made-up release, and the site's Ignition. */
async function makeWorld(ignition: Partial<DemoIgnitionOptions> = {}, version?: string): Promise<World> {
  const made = await makeFactory({
    ...(version === undefined ? {} : { version }),
    ignition: (releaseImage) =>
      demoBipIgnition({
        clusterName: 'bip',
        domain: 'example.com',
        installDisk: '/dev/sda',
        releaseImage,
        ...ignition,
      }),
  });
  const factory = await loadFactory(made.at('factory.yaml'), realHost);
  const request = await factoryRequest(factory, { forceFilter: false });
  const client = createRegistryClient(
    { credentials: { find: async () => undefined }, insecure: true },
    realHost,
  );
  const { signal } = new AbortController();
  try {
    const graph = graphSource(undefined, signal, realHost);
    const { lock } = await resolveLock(request, false, client, { parallel: 4, signal, graph });
    await precache(lock, request.folder, client, { parallel: 4, retryTimes: 0, signal }, realHost);
    return { ignition: await loadIgnition(made.at('bip.ign')), lock, root: request.folder };
  } finally {
    client.close();
  }
}

const prove = ({ ignition, lock, root }: World, options: Partial<CoverageOptions> = {}) =>
  proveCoverage(ignition, { root, lock, explainUnserved: SERVED, allowMissing: [], ...options });

/** The image of a payload component, by who asks for it. */
function imageFor(lock: Lock, asker: RegExp): LockedImage {
  const found = lock.images.find((image) => image.requiredBy.some((who) => asker.test(who)));
  if (found === undefined) throw new RangeError(`the lock has no image for ${asker}`);
  return found;
}

function blobOf(world: World, image: LockedImage): string {
  const own = image.blobs.find(
    ({ digest }) =>
      world.lock.images.filter(({ blobs }) => blobs.some((blob) => blob.digest === digest)).length === 1,
  );
  return storePaths.blob(world.root, own?.digest as Digest);
}

describe('the proof that a cache covers an install', () => {
  test('holds for a full cache, and counts what both phases ask for', async () => {
    const report = await prove(await makeWorld());
    expect(report.gaps).toEqual([]);
    expect(report.version).toBe('4.18.0');
    expect(report.images).toBeGreaterThan(17);
  });

  test.each([
    ['is gone', (path: string) => rmSync(path), 'is missing'],
    ['is short', (path: string) => truncateSync(path, 10), 'has 10 bytes, want'],
  ])('fails when a blob of a bootstrap image %s, and names who asks for it', async (_what, damage, why) => {
    const world = await makeWorld();
    const image = imageFor(world.lock, /bootkube\.sh.*/);
    damage(blobOf(world, image));
    const { gaps } = await prove(world);
    expect(gaps).toMatchObject([
      { reference: `${image.source}@${image.digest}`, role: 'bootstrap', why: expect.stringContaining(why) },
    ]);
    expect(gaps[0]?.neededBy.join()).toContain('bootkube.sh');
    expect((await prove(world, { allowMissing: ['bootstrap'] })).gaps).toEqual([]);
  });

  test('fails for an image the release payload does not have', async () => {
    const { gaps } = await prove(await makeWorld({ imageNames: ['etcd', 'no-such-operator'] }));
    expect(gaps).toMatchObject([
      { role: 'bootstrap', why: 'the release payload 4.18.0 has no image no-such-operator' },
    ]);
  });

  test('fails when the release image is gone: its list of images is the ground of the proof', async () => {
    const world = await makeWorld();
    rmSync(storePaths.blob(world.root, world.lock.release?.digest as Digest));
    const { gaps, version } = await prove(world);
    expect(version).toBeUndefined();
    expect(gaps.map(({ why }) => why).join()).toContain('its list of images cannot be read');
  });

  test('fails when an image is whole and yet not served', async () => {
    const world = await makeWorld();
    const { gaps } = await prove(world, {
      explainUnserved: async (source) => (source.endsWith('/tools') ? 'no such repository' : undefined),
    });
    expect(gaps).toMatchObject([{ role: 'additional', why: 'no such repository' }]);
  });

  test('fails from 4.21 on without a signature of the release image', async () => {
    const { gaps } = await prove(await makeWorld({ line: '4.21' }, '4.21.3'));
    expect(gaps).toMatchObject([{ role: 'release', why: 'the lock has no sigstore signature of it' }]);
  });

  test('fails from 4.21 on for a release image that the lock does not know, too', async () => {
    const world = await makeWorld({ line: '4.21' }, '4.21.3');
    const images = world.lock.images.filter(({ digest }) => digest !== world.lock.release?.digest);
    const { gaps } = await prove({ ...world, lock: { ...world.lock, images } });
    expect(gaps).toMatchObject([{ role: 'release', why: 'the lock has no sigstore signature of it' }]);
  });

  test('holds from 4.21 on with a signature in the lock', async () => {
    const world = await makeWorld({ line: '4.21' }, '4.21.3');
    const [signature] = world.lock.images.filter(({ roles }) => roles.includes('tool'));
    const images = world.lock.images.map((image) =>
      image.digest === world.lock.release?.digest && signature !== undefined
        ? { ...image, signatures: [signature.digest] }
        : image,
    );
    expect((await prove({ ...world, lock: { ...world.lock, images } })).gaps).toEqual([]);
  });
});
