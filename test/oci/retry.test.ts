import { describe, expect, test } from 'vitest';
import { EdgefabError } from '../../src/errors.ts';
import { parseRetryAfter, transient, withRetries } from '../../src/oci/retry.ts';
import { makeTestHost } from '../support/test-host.ts';

const failure = (): EdgefabError => new EdgefabError('busy', { code: 'REGISTRY_REFUSED' });

test('waits 1, 2, 4 … at most 30 s, each between half and all of it, then gives the last error', async () => {
  const host = makeTestHost();
  let attempts = 0;
  const attempt = async (): Promise<never> => {
    attempts += 1;
    throw transient(failure());
  };
  await expect(withRetries(attempt, { retryTimes: 7, what: 'x' }, host)).rejects.toThrow('busy');
  expect(attempts).toBe(8);
  expect(host.sleeps).toHaveLength(7);
  for (const [at, limit] of [1000, 2000, 4000, 8000, 16_000, 30_000, 30_000].entries()) {
    expect(host.sleeps[at]).toBeLessThanOrEqual(limit);
    expect(host.sleeps[at]).toBeGreaterThanOrEqual(limit / 2);
  }
});

test('different requests wait differently, the same input waits the same', async () => {
  const waits = async (what: string): Promise<number[]> => {
    const host = makeTestHost();
    await withRetries(() => Promise.reject(transient(failure())), { retryTimes: 3, what }, host).catch(
      () => {},
    );
    return host.sleeps;
  };
  expect(await waits('a')).toEqual(await waits('a'));
  expect(await waits('a')).not.toEqual(await waits('b'));
});

test.each([
  ['an error that stays', () => failure(), 0, []],
  ['an error of another kind', () => new TypeError('bug'), 0, []],
  ['what the server asked for', () => transient(failure(), 7000), 1, [7000]],
  ['at most two minutes of it', () => transient(failure(), 3_600_000), 1, [120_000]],
])('%s', async (_, make, retries, sleeps) => {
  const host = makeTestHost();
  const options = { retryTimes: 1, what: 'x' };
  let attempts = 0;
  const attempt = (): Promise<never> => {
    attempts += 1;
    return Promise.reject(make());
  };
  await expect(withRetries(attempt, options, host)).rejects.toThrow();
  expect(attempts).toBe(1 + retries);
  expect(host.sleeps).toEqual(sleeps);
});

test('stops when aborted', async () => {
  const controller = new AbortController();
  const host = makeTestHost();
  const attempt = async (): Promise<never> => {
    controller.abort();
    throw transient(failure());
  };
  const options = { retryTimes: 5, what: 'x', signal: controller.signal };
  await expect(withRetries(attempt, options, host)).rejects.toThrow('busy');
  expect(host.sleeps).toEqual([]);
});

describe('Retry-After', () => {
  const now = new Date('2026-01-01T00:00:00Z');
  test.each([
    [undefined, 0],
    ['', 0],
    ['0', 0],
    ['120', 120_000],
    [' 5 ', 5000],
    ['-5', 0],
    ['1.5', 0],
    ['soon', 0],
    ['Thu, 01 Jan 2026 00:00:30 GMT', 30_000],
    ['Wed, 31 Dec 2025 00:00:00 GMT', 0],
  ])('%j is %i ms', (value, want) => {
    expect(parseRetryAfter(value, now)).toBe(want);
  });
});
