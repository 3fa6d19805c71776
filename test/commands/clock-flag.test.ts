import { describe, expect, test } from 'vitest';
import { parseClock } from '../../src/commands/terminal/clock-flag.ts';

describe('--clock', () => {
  test.each([
    ['2000-01-01', '2000-01-01T00:00:00.000Z'],
    ['2000-02-29T06:07Z', '2000-02-29T06:07:00.000Z'],
    ['1980-01-01T00:00:01Z', '1980-01-01T00:00:01.000Z'],
  ])('%s', (text, time) => {
    expect(parseClock(text).toISOString()).toBe(time);
  });

  test.each([
    ['2000', 'no day'],
    ['2001-02-29', 'a day there is not'],
    ['2000-13-01', 'a month there is not'],
    ['1969-01-01', 'too early'],
    ['2000-01-01T06:00', 'whose hour'],
    ['yesterday', 'a word'],
    ['', 'nothing'],
  ])('%s is refused: %s', (text) => {
    expect(() => parseClock(text)).toThrow(/--clock: got ".*", want a day like 2000-01-01/);
  });
});
