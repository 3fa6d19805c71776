import { Readable } from 'node:stream';
import { setTimeout as sleep } from 'node:timers/promises';
import { expect, test } from 'vitest';
import { measureRate } from '../../../src/mirror/plan/measure-rate.ts';
import { uniqueBlobs } from '../../../src/mirror/plan/plan.ts';
import { lockedImage } from '../../support/locked-image.ts';

/** A line that gives each of its streams 1000 bytes every 10 ms, slowly at first. */
function slowLine() {
  return {
    openBlob: async (_: unknown, __: unknown, { signal }: { signal?: AbortSignal } = {}) => {
      async function* body() {
        await sleep(500, undefined, signal === undefined ? {} : { signal });
        for (;;) {
          await sleep(10, undefined, signal === undefined ? {} : { signal });
          yield Buffer.alloc(1000);
        }
      }
      return { stream: Readable.from(body()), sizeBytes: undefined };
    },
  };
}

const BLOBS = uniqueBlobs([lockedImage('quay.io/a', { one: 1e9, two: 1e9 })]);
const now = () => Date.now();

test('the speed is that of all streams, without the time they take to start', async () => {
  const rate = (await measureRate(BLOBS, slowLine(), { parallel: 2, now })) ?? 0;
  expect(rate).toBeGreaterThan(100_000);
  expect(rate).toBeLessThan(210_000);
}, 10_000);

test('a line that ends early counts as far as it went', async () => {
  const source = {
    openBlob: async () => ({ stream: Readable.from([Buffer.alloc(5000)]), sizeBytes: 5000 }),
  };
  expect(await measureRate(BLOBS, source, { parallel: 1, now })).toBeGreaterThan(0);
});

test('with nothing to fetch there is nothing to measure', async () => {
  expect(await measureRate([], slowLine(), { parallel: 2, now })).toBeUndefined();
});

test('Ctrl-C ends it at once', async () => {
  const signal = AbortSignal.timeout(200);
  await expect(measureRate(BLOBS, slowLine(), { parallel: 2, now, signal })).rejects.toThrow();
});
