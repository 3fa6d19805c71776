import { expect, test } from 'vitest';
import { createHostWidth } from '../../../src/mirror/pull/host-width.ts';
import { createRateLimit, type Rate } from '../../../src/mirror/pull/rate-limit.ts';
import { watchWakes } from '../../../src/mirror/pull/wake-watch.ts';
import { makeHastyHost } from '../../support/pull-world.ts';
import { makeTestHost } from '../../support/test-host.ts';

const never = new AbortController().signal;

test.each([1, 4, 16])('%i streams share 4 MB/s within 2 percent, by a real clock', async (streams) => {
  const host = makeHastyHost(1000);
  const limit = createRateLimit(() => 4e6, host);
  let left = 6_000_000;
  const startedMs = performance.now();
  const stream = async (): Promise<void> => {
    while (left > 0) {
      left -= 40_000;
      await limit.take(40_000, never);
    }
  };
  await Promise.all(Array.from({ length: streams }, stream));
  const seconds = (performance.now() - startedMs) / 1000;
  // The burst is 0.2 s, which a long run does not notice; here it is taken off.
  const rate = 6_000_000 / (seconds + 0.2);
  expect(Math.abs(rate / 4e6 - 1)).toBeLessThan(0.02);
});

test('a pause lasts until the next window, is told once, and ends with an abort', async () => {
  const host = makeTestHost();
  const opensMs = host.now().getTime() + 3_600_000;
  let pauses = 0;
  const limit = createRateLimit(
    (now): Rate => (now.getTime() < opensMs ? 0 : undefined),
    host,
    () => {
      pauses += 1;
    },
  );
  await limit.take(1, never);
  expect(host.now().getTime()).toBeGreaterThanOrEqual(opensMs);
  expect(pauses).toBe(1);
  const closed = createRateLimit(() => 0, makeTestHost());
  await expect(closed.take(1, AbortSignal.abort())).rejects.toMatchObject({ name: 'AbortError' });
});

test('a clock that is set back does not stop the line', async () => {
  const host = makeTestHost();
  const limit = createRateLimit(() => 1000, host);
  await limit.take(1000, never);
  host.advance(-86_400_000);
  await limit.take(1000, never);
  expect(host.sleeps.reduce((sum, ms) => sum + ms, 0)).toBeLessThan(3000);
});

test('a heartbeat that was late tells that the process stood still', () => {
  const host = makeTestHost();
  const wakes = watchWakes(host);
  const startedMs = host.now().getTime();
  host.advance(1000);
  expect(wakes.stoodStillSince(startedMs)).toBe(false);
  host.advance(60_000);
  expect(wakes.stoodStillSince(startedMs)).toBe(true);
  host.advance(1);
  expect(wakes.stoodStillSince(host.now().getTime())).toBe(false);
  wakes.stop();
});

/** Runs a width against a server for so many seconds, and gives the width it came to. */
function learn(
  ceiling: number,
  seconds: number,
  server: (width: number, second: number) => { readonly rate: number; readonly push?: number },
) {
  const host = makeTestHost();
  const seen: number[] = [];
  const width = createHostWidth(ceiling, host, (now) => seen.push(now));
  for (let second = 0; second < seconds; second += 1) {
    const { rate, push } = server(width.width, second);
    host.advance(1000);
    width.worked(rate, true);
    if (push !== undefined) for (let times = 0; times < width.width + 5; times += 1) width.pushedBack(push);
  }
  return { width: width.width, seen, notBeforeMs: width.notBeforeMs - host.now().getTime() };
}

test.each<[string, number, number, Parameters<typeof learn>[2], number, number]>([
  ['each stream brings its own', 16, 5, (width) => ({ rate: width * 1e6 }), 16, 16],
  ['the ceiling holds', 3, 30, (width) => ({ rate: width * 1e6 }), 3, 3],
  ['a thin line is full with four', 16, 60, () => ({ rate: 6e6 }), 4, 8],
  ['a line that takes ten', 16, 120, (width) => ({ rate: Math.min(width, 10) * 1e6 }), 8, 16],
  ['pushed back once', 16, 6, (width, at) => ({ rate: width * 1e6, ...(at === 5 ? { push: 0 } : {}) }), 8, 8],
  ['pushed back always', 16, 20, (width) => ({ rate: width * 1e6, push: 0 }), 1, 1],
  [
    'a push is grown out of',
    16,
    120,
    (width, at) => ({ rate: width * 1e6, ...(at === 5 ? { push: 0 } : {}) }),
    16,
    16,
  ],
])('%s: at most %i at once, after %i s', (_, ceiling, seconds, server, least, most) => {
  const { width } = learn(ceiling, seconds, server);
  expect(width).toBeGreaterThanOrEqual(least);
  expect(width).toBeLessThanOrEqual(most);
});

test('what a server asks for is waited for, the longest of it', () => {
  const { notBeforeMs } = learn(8, 3, (_, at) => ({ rate: 1, push: at === 1 ? 60_000 : 10 }));
  expect(notBeforeMs).toBe(59_000);
});
