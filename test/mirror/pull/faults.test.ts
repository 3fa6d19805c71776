import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from 'vitest';
import { loadCacheFile } from '../../../src/mirror/store/cache-file.ts';
import { verifyCache } from '../../../src/mirror/store/verify-cache.ts';
import { REGISTRY_TOOLS } from '../../support/docker-registry.ts';
import { startFakeServer } from '../../support/fake-server.ts';
import type { Fault, FaultRule } from '../../support/fault-proxy.ts';
import {
  type PulledThrough,
  type PullThroughOptions,
  type PullWorld,
  pullThrough,
  startPullWorld,
} from '../../support/pull-world.ts';
import { tempFolder } from '../../support/temp-folder.ts';
import { haveTools } from '../../support/tools.ts';

const ready = haveTools(...REGISTRY_TOOLS);
const skipped = ready ? '' : ` (SKIPPED: needs ${REGISTRY_TOOLS.join(', ')})`;
const MIB = 1024 * 1024;

let world: PullWorld;

async function expectWhole({ cache, lock, outcome, error }: PulledThrough): Promise<void> {
  expect(error).toBeUndefined();
  expect(outcome?.cache.state).toBe('complete');
  expect(await verifyCache(cache, { parallel: 2 })).toMatchObject({
    images: lock.images.length,
    faults: [],
    strays: [],
  });
  expect(readdirSync(join(cache, 'tmp'))).toEqual(['lock']);
}

/** Applies a fault to the first requests for the largest blob. */
function largest(...faults: (Fault | undefined)[]): FaultRule {
  return (path, { attempt }) => (path.endsWith(`/blobs/${world.largest}`) ? faults[attempt - 1] : undefined);
}

/** Applies a fault to the first request for every blob. */
function everyFirst(fault: Fault): FaultRule {
  return (path, { attempt }) => (path.includes('/blobs/') && attempt === 1 ? fault : undefined);
}

function always(fault: Fault): FaultRule {
  return (path) => (path.endsWith(`/blobs/${world.largest}`) ? fault : undefined);
}

const status = (code: number, headers = {}): Fault => ({ kind: 'status', status: code, headers });
const reset = (afterBytes: number): Fault => ({ kind: 'reset', afterBytes });

describe.skipIf(!ready)(`a pull through a bad line from a docker-registry${skipped}`, () => {
  beforeAll(async () => {
    world = await startPullWorld();
  });
  afterAll(() => world.registry.close());

  // Name, fault, most bytes over the line beyond what is there, options.
  test.each<[string, () => FaultRule, number, PullThroughOptions?]>([
    ['nothing', () => () => undefined, 0],
    ['a reset at byte 0', () => everyFirst(reset(0)), 0],
    ['a reset at byte 1', () => everyFirst(reset(1)), 0],
    ['a reset at byte 1,000,000', () => largest(reset(1_000_000)), 0],
    ['a reset every 300,000 bytes', () => always(reset(300_000)), 0, { retryTimes: 1 }],
    ['a body cut short', () => everyFirst({ kind: 'truncate', afterBytes: 200_000 }), 0],
    ['a body that stalls', () => largest({ kind: 'stall', afterBytes: 700_000 }), 0],
    ['503 three times', () => largest(status(503), status(503), status(503)), 0],
    ['500, 502 and a reset', () => largest(status(500), status(502), reset(10)), 0],
    [
      'a storm of 502 on everything',
      () =>
        (_, { attempt }) =>
          attempt <= 2 ? status(502) : undefined,
      0,
    ],
    ['429 without Retry-After', () => everyFirst(status(429)), 0],
    ['wrong bytes once', () => largest({ kind: 'corrupt' }), 3.1 * MIB],
    ['wrong bytes behind a resumed prefix', () => largest(reset(500_000), { kind: 'corrupt' }), 3.1 * MIB],
    ['a Content-Length too long once', () => largest({ kind: 'length', more: 5 }), 0],
    ['a Content-Length too short once', () => largest({ kind: 'length', more: -5 }), 0],
    ['Range ignored after a reset', () => largest(reset(1_000_000), { kind: 'no-range' }), 1_000_000],
    ['416 after a reset', () => largest(reset(1_000_000), status(416)), 1_000_000],
    [
      'a slow manifest',
      () => (path) => (path.includes('/manifests/') ? { kind: 'drip', bytes: 200 } : undefined),
      0,
    ],
    [
      'a slow manifest that ends',
      () =>
        (path, { attempt }) =>
          path.includes('/manifests/') && attempt === 1 ? { kind: 'stall', afterBytes: 20 } : undefined,
      0,
    ],
    [
      'one repository that lost the blob',
      () => (path) =>
        path.includes('/org/app/blobs/') && path.endsWith(world.largest) ? status(404) : undefined,
      0,
    ],
  ])('%s: everything is there, and no byte twice without need', async (_, rule, extra, options) => {
    const pulled = await pullThrough(world, rule(), options);
    await expectWhole(pulled);
    expect(pulled.outcome?.result.fetchedBytes).toBeGreaterThanOrEqual(world.uniqueBytes);
    expect(pulled.outcome?.result.fetchedBytes).toBeLessThanOrEqual(world.uniqueBytes + extra);
  });

  test('429 with Retry-After: nobody asks that registry before', async () => {
    const pulled = await pullThrough(world, everyFirst(status(429, { 'retry-after': '1' })), {
      longestWaitMs: 1000,
    });
    await expectWhole(pulled);
    expect(pulled.sleeps.some((ms) => ms >= 1000)).toBe(true);
    expect(pulled.events.some((event) => event.kind === 'streams' && event.width < 4)).toBe(true);
  });

  test.each<[string, () => FaultRule, string, PullThroughOptions?]>([
    ['wrong bytes always', () => always({ kind: 'corrupt' }), 'BLOB_DIGEST_MISMATCH'],
    ['a wrong Content-Length always', () => always({ kind: 'length', more: 5 }), 'BLOB_SIZE_MISMATCH'],
    ['500 always', () => always(status(500)), 'PULL_INCOMPLETE'],
    ['a reset at byte 0 always', () => always(reset(0)), 'PULL_INCOMPLETE'],
    [
      'a redirect loop',
      () => (path) => (path.endsWith(world.largest) ? { kind: 'redirect', to: path } : undefined),
      'PULL_INCOMPLETE',
    ],
    ['404 always', () => always(status(404)), 'PULL_INCOMPLETE'],
  ])(
    '%s: the rest is fetched, the images are named, and the next run needs just that',
    async (_, rule, code) => {
      const failed = await pullThrough(world, rule());
      expect(failed.error).toMatchObject({ code });
      const { faults } = failed.error as { faults: { place: { image: string } }[] };
      // All images share the layer.
      expect(faults.map(({ place }) => place.image).sort()).toEqual(
        failed.lock.images.map(({ source, digest }) => `${source}@${digest}`).sort(),
      );
      expect(await loadCacheFile(failed.cache)).toMatchObject({ state: 'incomplete' });
      expect(readdirSync(join(failed.cache, 'blobs', 'sha256'))).not.toContain(world.largest.slice(7));

      const next = await pullThrough(world, () => undefined, { cache: failed.cache });
      await expectWhole(next);
      expect(next.outcome?.result.fetchedBytes).toBeLessThanOrEqual(3.1 * MIB);
    },
  );

  test('a redirect to another origin gets no credentials', async () => {
    const guarded = await startPullWorld({ auth: 'token' });
    onTestFinished(() => guarded.registry.close());
    const content = guarded.images[0]?.layers[0]?.bytes ?? Buffer.alloc(0);
    const store = await startFakeServer((_, response) => {
      response.writeHead(200, { 'content-length': content.length }).end(content);
    });
    onTestFinished(() => store.close());
    const pulled = await pullThrough(guarded, (path) =>
      path.endsWith(guarded.largest) ? { kind: 'redirect', to: `${store.url}/elsewhere` } : undefined,
    );
    await expectWhole(pulled);
    expect(store.requests.map(({ authorization }) => authorization)).toEqual([undefined]);
  });

  test('tokens that end every 2 s are renewed in mid-run', async () => {
    const guarded = await startPullWorld({ auth: 'token', tokenLifetimeSeconds: 2 });
    onTestFinished(() => guarded.registry.close());
    const pulled = await pullThrough(
      guarded,
      async (path, { attempt }) => {
        if (!path.endsWith(guarded.largest) || attempt > 3) return undefined;
        await delay(1100);
        return reset(300_000);
      },
      { stallTimeoutMs: 5000 },
    );
    await expectWhole(pulled);
    expect(guarded.registry.tokenServer?.asked.length).toBeGreaterThan(2);
  });

  test('a server that closes its sockets while our disk is slow is continued by Range', async () => {
    const slow = { take: (bytes: number) => delay(bytes > 30_000 ? 25 : 1) };
    const ranges: (string | undefined)[] = [];
    const pulled = await pullThrough(
      world,
      (path, { attempt, range }) => {
        if (!path.endsWith(world.largest)) return undefined;
        ranges.push(range);
        return attempt <= 3 ? reset(900_000) : undefined;
      },
      { rateLimit: slow },
    );
    await expectWhole(pulled);
    expect(ranges.length).toBeGreaterThan(2);
    expect(ranges.slice(1).every((range) => range !== undefined)).toBe(true);
  });

  test('a registry that restarts in mid-run is waited for', async () => {
    const down = { until: 0 };
    const rule: FaultRule = (path, { attempt }) => {
      if (path.endsWith(world.largest) && attempt === 1) down.until = Date.now() + 700;
      return Date.now() < down.until ? reset(0) : undefined;
    };
    await expectWhole(await pullThrough(world, rule, { longestWaitMs: 500 }));
  });

  test('each blob is asked for once, at any width', async () => {
    for (const parallel of [1, 3, 16]) {
      const { proxy, ...pulled } = await pullThrough(world, () => undefined, { parallel });
      await expectWhole({ proxy, ...pulled });
      const blobs = proxy.asked
        .filter((path) => path.includes('/blobs/'))
        .map((path) => path.replace(/.*\//, ''));
      expect(blobs).toHaveLength(new Set(blobs).size);
      if (parallel === 1) expect(blobs[0]).toBe(world.largest);
      expect(proxy.mostAtOnce).toBeLessThanOrEqual(parallel);
      expect(proxy.sentBytes).toBeLessThan(world.uniqueBytes * 1.005);
    }
  });

  test('a complete cache is left alone, and nobody is asked', async () => {
    const first = await pullThrough(world, () => undefined);
    const before = readFileSync(join(first.cache, 'edgefab-cache.json'), 'utf8');
    // The same lock, as the proxy's port is part of it.
    const { host } = first.proxy;
    const again = await pullThrough({ ...world, lockAt: () => world.lockAt(host) }, () => undefined, {
      cache: first.cache,
    });
    await expectWhole(again);
    expect(again.proxy.asked).toEqual([]);
    expect(readFileSync(join(first.cache, 'edgefab-cache.json'), 'utf8')).toBe(before);
  });

  test('an abort in mid-run ends at once and keeps what arrived', async () => {
    const stop = new AbortController();
    const cache = tempFolder();
    setTimeout(() => stop.abort(), 300);
    const stalled = await pullThrough(world, always({ kind: 'stall', afterBytes: 1_200_000 }), {
      cache,
      signal: stop.signal,
      stallTimeoutMs: 60_000,
    });
    expect(stalled.error).toMatchObject({ name: 'AbortError' });
    const next = await pullThrough(world, () => undefined, { cache });
    await expectWhole(next);
    expect(next.outcome?.result.heldBytes).toBeGreaterThanOrEqual(1_200_000);
  });
});
