import { expect, test } from 'vitest';
import { formatBytes, formatSeconds, parseRate } from '../../src/commands/terminal/format-amount.ts';
import { createProgress, type ProgressMode } from '../../src/commands/terminal/progress.ts';

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
  const output = {
    isTTY,
    columns: 200,
    write: (text: string) => {
      written += text;
    },
  };
  const progress = createProgress(mode, output, () => nowMs);
  progress.start('fetching', 1000);
  progress.advance(400, 'held');
  nowMs = 2000;
  progress.advance(200);
  progress.step(1, 2);
  progress.end();
  progress.advance(400);
  return written;
}

test.each([
  ['auto', false, 'fetching: 60% 600 bytes of 1000 bytes, 100 bytes/s, 4 s left, 1/2 blobs\n'],
  ['plain', true, 'fetching: 60% 600 bytes of 1000 bytes, 100 bytes/s, 4 s left, 1/2 blobs\n'],
  ['auto', true, '\r\u001B[Kfetching: 60% 600 bytes of 1000 bytes, 100 bytes/s, 4 s left, 1/2 blobs\n'],
  ['none', true, ''],
  [
    'json',
    true,
    '{"event":"end","ts":"1970-01-01T00:00:02.000Z","what":"fetching","doneBytes":600,"totalBytes":1000,"movedBytes":200,"done":1,"total":2}\n',
  ],
] as const)('progress %s, terminal %s', (mode, isTTY, text) => expect(run(mode, isTTY)).toBe(text));
