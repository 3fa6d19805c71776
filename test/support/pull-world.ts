import { setTimeout as delay } from 'node:timers/promises';
import { onTestFinished } from 'vitest';
import { type PrecacheOptions, type PrecacheOutcome, precache } from '../../src/factory/precache.ts';
import type { Host } from '../../src/host/host.ts';
import { realHost } from '../../src/host/real-host.ts';
import { uniqueBlobs } from '../../src/mirror/plan/plan.ts';
import type { PullEvent } from '../../src/mirror/pull/pull-parts.ts';
import type { Lock, LockedImage } from '../../src/mirror/resolve/lock.ts';
import { createRegistryClient } from '../../src/oci/client.ts';
import { type DockerRegistry, type DockerRegistryOptions, startDockerRegistry } from './docker-registry.ts';
import { type FaultRule, startFaultProxy } from './fault-proxy.ts';
import { digestFor } from './locked-image.ts';
import { blobsOf, type MadeImage, makeImage, pushImages } from './made-image.ts';
import { tempFolder } from './temp-folder.ts';

const KIB = 1024;

/** A docker-registry with a few images that share layers. */
export interface PullWorld {
  readonly registry: DockerRegistry;
  readonly images: readonly MadeImage[];
  /** The digest of the largest layer, which all images share. */
  readonly largest: string;
  readonly uniqueBytes: number;
  /** The images as a lock names them at a host. */
  lockAt(host: string): Lock;
}

/** Starts one; `largestKib` is the size of the layer that all share. */
export async function startPullWorld(
  options: DockerRegistryOptions = {},
  largestKib = 3 * KIB,
): Promise<PullWorld> {
  const registry = await startDockerRegistry(options);
  const shared = [
    { seed: 'largest', sizeBytes: largestKib * KIB },
    { seed: 'middle', sizeBytes: 900 * KIB },
  ];
  const images = await Promise.all(
    ['one', 'two', 'three'].map((seed) =>
      makeImage({ seed, layers: [...shared, { seed, sizeBytes: 300 * KIB }], format: 'docker' }),
    ),
  );
  const repository = (at: number): string => (at < 2 ? 'org/app' : 'org/other');
  await pushImages(
    registry,
    images.map((image, at) => ({ image, repository: repository(at) })),
  );
  const lockAt = (host: string): Lock => ({
    arch: 'x86_64',
    inputs: { imageSet: digestFor('set'), wanted: digestFor('wanted') },
    images: images.map((image, at): LockedImage => {
      const blobs = blobsOf(image).map(({ digest, bytes }) => ({ digest, sizeBytes: bytes.length }));
      return {
        source: `${host}/${repository(at)}`,
        digest: image.digest,
        archDigest: image.digest,
        mediaType: image.mediaType,
        sizeBytes: blobs.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0),
        blobs,
        roles: ['additional'],
        requiredBy: ['a test'],
      };
    }),
  });
  const uniqueBytes = uniqueBlobs(lockAt(registry.host).images).reduce(
    (sum, { sizeBytes }) => sum + sizeBytes,
    0,
  );
  return { registry, images, largest: images[0]?.layers[0]?.digest ?? '', uniqueBytes, lockAt };
}

/** A host on which waits are short, and written down. */
export function makeHastyHost(longestMs = 20): Pick<Host, 'now' | 'sleep' | 'flushFileSystem'> & {
  readonly sleeps: number[];
} {
  const sleeps: number[] = [];
  return {
    sleeps,
    flushFileSystem: realHost.flushFileSystem,
    now: () => new Date(),
    sleep: async (ms, signal) => {
      sleeps.push(ms);
      await delay(Math.min(ms, longestMs), undefined, signal === undefined ? {} : { signal });
    },
  };
}

export interface PulledThrough {
  readonly cache: string;
  readonly lock: Lock;
  readonly outcome: PrecacheOutcome | undefined;
  readonly error: unknown;
  readonly events: readonly PullEvent[];
  readonly proxy: Awaited<ReturnType<typeof startFaultProxy>>;
  readonly sleeps: readonly number[];
}

export interface PullThroughOptions extends Partial<PrecacheOptions> {
  readonly cache?: string;
  readonly stallTimeoutMs?: number;
  readonly longestWaitMs?: number;
}

/** Fills a cache from a world through a fault proxy, and gives what came of it. */
export async function pullThrough(
  world: PullWorld,
  rule: FaultRule,
  { cache = tempFolder(), stallTimeoutMs = 400, longestWaitMs, ...options }: PullThroughOptions = {},
): Promise<PulledThrough> {
  const proxy = await startFaultProxy(world.registry.host, rule);
  const host = makeHastyHost(longestWaitMs);
  const { username, password } = world.registry;
  const credential = { username, password, from: 'a test' };
  const credentials = {
    find: async () => (world.registry.tokenServer === undefined ? undefined : credential),
  };
  const client = createRegistryClient({ credentials, insecure: true, retryTimes: 4, stallTimeoutMs }, host);
  onTestFinished(() => client.close());
  const lock = world.lockAt(proxy.host);
  const events: PullEvent[] = [];
  let outcome: PrecacheOutcome | undefined;
  let error: unknown;
  try {
    const onEvent = (event: PullEvent): void => void events.push(event);
    outcome = await precache(lock, cache, client, { parallel: 4, retryTimes: 4, onEvent, ...options }, host);
  } catch (failure) {
    error = failure;
  }
  return { cache, lock, outcome, error, events, proxy, sleeps: host.sleeps };
}
