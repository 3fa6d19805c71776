import { createHash } from 'node:crypto';
import { expect, test } from 'vitest';
import { buildId } from '../../src/factory/build-id.ts';

test('is the sha256 of the canonical text, in hex', () => {
  const text = '{"a":true,"b":[1,"x",null]}';
  expect(buildId({ b: [1, 'x', null], a: true })).toBe(createHash('sha256').update(text).digest('hex'));
});

test('the sha256 of {} is the well-known one', () => {
  expect(buildId({})).toBe('44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a');
});

test.each([
  ['key order', { a: 1, b: { c: 2, d: 3 } }, { b: { d: 3, c: 2 }, a: 1 }, true],
  ['an undefined key', { a: 1 }, { a: 1, b: undefined }, true],
  ['list order', { a: [1, 2] }, { a: [2, 1] }, false],
  ['text and number', { a: 1 }, { a: '1' }, false],
  ['null and absent', { a: null }, {}, false],
])('%s: same id %j %j %s', (_name, one, other, same) => {
  expect(buildId(one) === buildId(other)).toBe(same);
});

test('a number without a JSON form is a bug', () => {
  expect(() => buildId({ a: Number.NaN })).toThrow(TypeError);
});
