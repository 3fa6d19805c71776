import type { Host } from '../../src/host/host.ts';
import { realHost } from '../../src/host/real-host.ts';

/** A clock that only sleeping and `advance` move, and a record of the sleeps. */
export interface TestHost extends Pick<Host, 'now' | 'sleep' | 'flushFileSystem'> {
  readonly sleeps: number[];
  advance(ms: number): void;
}

/** Makes a host whose sleeps take no time. */
export function makeTestHost(start = Date.parse('2026-01-01T00:00:00Z')): TestHost {
  let nowMs = start;
  const sleeps: number[] = [];
  return {
    sleeps,
    flushFileSystem: realHost.flushFileSystem,
    now: () => new Date(nowMs),
    advance: (ms) => {
      nowMs += ms;
    },
    sleep: async (ms, signal) => {
      signal?.throwIfAborted();
      sleeps.push(ms);
      nowMs += ms;
    },
  };
}
