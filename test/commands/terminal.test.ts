import { expect, test } from 'vitest';
import { formatBytes, formatSeconds, parseRate } from '../../src/commands/terminal/format-amount.ts';
import { createProgress, type ProgressMode } from '../../src/commands/terminal/progress.ts';
import { ProgressState } from '../../src/commands/terminal/progress-state.ts';
import { parseRateFlags } from '../../src/commands/terminal/rate-flags.ts';
import { rateAt } from '../../src/mirror/pull/rate-windows.ts';

test.each([
  [0, '0 bytes'],
  [1023, '1023 bytes'],
  [1024, '1.0 KiB'],
  [1_500_000, '1.4 MiB'],
  [94e9, '87.5 GiB'],
  [5e15, '4547.5 TiB'],
])('%i bytes are %s', (bytes, text) => expect(formatBytes(bytes)).toBe(text));

test.each([
  [0.2, '1 s'],
  [59, '59 s'],
  [200, '3 min 20 s'],
  [18_654, '5 h 10 min'],
])('%f seconds are %s', (seconds, text) => expect(formatSeconds(seconds)).toBe(text));

test.each([
  ['20Mbit', 2_500_000],
  ['8Mbit/s', 1_000_000],
  ['2.5MB/s', 2_500_000],
  ['500K', 500_000],
  ['1MiB/s', 1_048_576],
  ['100', 100],
  ['0', undefined],
  ['fast', undefined],
  ['-5M', undefined],
  ['5 M M', undefined],
])('the rate %s is %s bytes per second', (text, rate) => expect(parseRate(text)).toBe(rate));

function run(mode: ProgressMode, isTTY: boolean): string {
  let written = '';
  let nowMs = 0;
  const output = { isTTY, columns: 200, write: (text: string) => (written += text) };
  const progress = createProgress(mode, output, () => nowMs);
  progress.tell({ kind: 'pause' });
  progress.start('fetching', 1000);
  progress.advance(400, 'held');
  nowMs = 2000;
  progress.advance(300);
  progress.advance(100, 'lost');
  progress.tell({ kind: 'streams', host: 'a', width: 4, reason: 'more' });
  progress.tell({ kind: 'retry', what: 'blob', image: 'i', reason: 'it broke', waitMs: 5 });
  progress.tell({ kind: 'image', image: 'i', done: 3, total: 7 });
  progress.step(1, 2);
  progress.end();
  progress.advance(400);
  progress.tell({ kind: 'pause' });
  return written;
}

const BYTES = 'fetching: 60% 600 bytes of 1000 bytes, 150 bytes/s, 3 s left';
const REST = '3/7 images, 1/2 blobs, up to 4 at once, 1 retries, last: it broke';
const TS = '"ts":"1970-01-01T00:00:02.000Z"';
test.each([
  ['auto', false, `${BYTES}, ${REST}\n`],
  ['plain', true, `${BYTES}, ${REST}\n`],
  ['auto', true, `\r\u001B[K[##############----------] ${BYTES}\n\r\u001B[K${REST}\n`],
  ['none', true, ''],
  [
    'json',
    true,
    [
      '{"event":"start","ts":"1970-01-01T00:00:00.000Z","what":"fetching","totalBytes":1000}',
      `{"event":"streams",${TS},"host":"a","width":4,"reason":"more"}`,
      `{"event":"retry",${TS},"what":"blob","image":"i","reason":"it broke","waitMs":5}`,
      `{"event":"image",${TS},"image":"i","done":3,"total":7}`,
      `{"event":"end",${TS},"what":"fetching","doneBytes":600,"totalBytes":1000,"movedBytes":300,"bytesPerSecond":150,"etaSeconds":3,"done":1,"total":2,"images":3,"imagesTotal":7,"failed":0,"retries":1}`,
      '',
    ].join('\n'),
  ],
] as const)('progress %s, terminal %s', (mode, isTTY, text) => expect(run(mode, isTTY)).toBe(text));

test('the rate is that of the last seconds, and a bar is drawn over the last one', () => {
  let written = '';
  let nowMs = 0;
  const output = { isTTY: true, columns: 60, write: (text: string) => (written += text) };
  const state = new ProgressState('fetching', 10_000, nowMs);
  for (; nowMs < 20_000; nowMs += 1000) {
    state.advance(nowMs < 8000 ? 1000 : 100, 'network');
    state.numbers(nowMs);
  }
  const { bytesPerSecond } = state.numbers(nowMs);
  expect(bytesPerSecond).toBeGreaterThan(80);
  expect(bytesPerSecond).toBeLessThan(120);
  state.tell({ kind: 'pause' });
  expect(state.describe(nowMs).bytes).toContain('paused');
  const progress = createProgress('bar', output, () => nowMs);
  progress.start('a', 1);
  progress.end();
  progress.start('b', 1);
  progress.end();
  // Each piece of work has lines of its own; every line fits the terminal.
  expect(written).not.toContain('\u001B[1A');
  for (const line of written.split('\n')) expect(line.replace('\r\u001B[K', '').length).toBeLessThan(60);
});

test.each([
  [{}, '12:00', 'none'],
  [{ 'limit-rate': '8M' }, '12:00', 8e6],
  [{ 'limit-rate': '50Mbit' }, '12:00', 6_250_000],
  [{ 'limit-rate': 'off', window: '12:00-13:00=2M' }, '12:00', 2e6],
  [{ 'limit-rate': 'off', window: '12:00-13:00=2M' }, '13:00', 0],
  [{ window: '22:00-06:00=8M,*=2M' }, '22:00', 8e6],
  [{ window: '22:00-06:00=8M,*=2M' }, '05:59', 8e6],
  [{ window: '22:00-06:00=8M,*=2M' }, '06:00', 2e6],
  [{ window: '22:00-06:00=8M,*=2M' }, '21:59', 2e6],
  [{ window: '22:00-24:00=1M, 00:00-06:00=0' }, '23:59', 1e6],
  [{ window: '22:00-24:00=1M, 00:00-06:00=0' }, '00:00', 0],
  [{ window: '22:00-24:00=1M, 00:00-06:00=0' }, '07:00', undefined],
])('with %o at %s the rate is %s', (flags, time, rate) => {
  const windows = parseRateFlags(flags);
  const got = windows === undefined ? 'none' : rateAt(windows, new Date(`2026-03-04T${time}:00`));
  expect(got).toBe(rate);
});

test.each([
  [{ 'limit-rate': 'fast' }, 'no rate'],
  [{ 'limit-rate': 'off' }, 'nothing would ever be fetched'],
  [{ window: '*=0' }, 'nothing would ever be fetched'],
  [{ window: '22:00-06:00' }, 'no window'],
  [{ window: '25:00-06:00=1M' }, 'no time of day'],
  [{ window: '22:60-06:00=1M' }, 'no time of day'],
  [{ window: '22:00-22:00=1M' }, 'begins when it ends'],
  [{ window: '*=1M', 'limit-rate': '2M' }, 'both'],
])('the flags %o are refused', (flags, why) => {
  expect(() => parseRateFlags(flags)).toThrow(
    expect.objectContaining({ code: 'USAGE_INVALID', message: expect.stringContaining(why) }),
  );
});
