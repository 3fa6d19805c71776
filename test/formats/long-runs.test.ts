import { describe, expect, it } from 'vitest';
import { withoutLongRuns } from '../../src/formats/long-runs.ts';

describe('withoutLongRuns', () => {
  it.each([
    ['', ''],
    ['abc', 'abc'],
    ['abcd', 'a'],
    ['a: abcd\nb: "abcde"', 'a: a\nb: "a"'],
    ['abc abcd abc', 'abc a abc'],
    ['ä=+/=ä', 'ä=ä'],
  ])('makes %j %j', (text, expected) => {
    expect(Buffer.from(withoutLongRuns(Buffer.from(text), 3)).toString()).toBe(expected);
  });
});
