import { describe, expect, it } from 'vitest';
import {
  compareVersions,
  inRange,
  parsePartialVersion,
  parseVersion,
  parseVersionRange,
} from '../../src/formats/semver.ts';

describe('parseVersion', () => {
  it.each([
    '0.0.0',
    '4.13.1',
    '4.13.0-202305262054',
    '1.0.0-rc.1+build.5',
    '1.0.0+20130313144700',
    '1.0.0--',
    '1.0.0-0a',
  ])('takes %s', (text) => expect(parseVersion(text)).toBeDefined());
  it.each([
    '',
    '1',
    '1.2',
    'v1.2.3',
    '01.2.3',
    '1.2.3-',
    '1.2.3-01',
    '1.2.3+',
    '1.2.3 ',
    '1.2.x',
    '9007199254740993.0.0',
    `1.0.0-${'a'.repeat(300)}`,
  ])('refuses "%s"', (text) => expect(parseVersion(text)).toBeUndefined());
});

describe('parsePartialVersion', () => {
  it.each([
    ['4', 1, '4.0.0'],
    ['v4.12', 2, '4.12.0'],
    ['4.12.x', 2, '4.12.0'],
    ['4.x', 1, '4.0.0'],
    ['4.12.1-rc.1', 3, '4.12.1-rc.1'],
  ])('%s knows %i parts', (text, known, whole) => {
    const version = parseVersion(whole);
    expect(parsePartialVersion(text)).toMatchObject({ known, version });
  });
  it.each(['', 'x', '4.12.1.0', 'four'])('refuses "%s"', (text) =>
    expect(parsePartialVersion(text)).toBeUndefined(),
  );
});

describe('compareVersions', () => {
  // semver.org §11, then OpenShift's own.
  const ordered = [
    '0.9.9',
    '1.0.0-alpha',
    '1.0.0-alpha.1',
    '1.0.0-alpha.beta',
    '1.0.0-beta',
    '1.0.0-beta.2',
    '1.0.0-beta.11',
    '1.0.0-rc.1',
    '1.0.0',
    '4.13.0-9',
    '4.13.0-202305262054',
    '4.13.0-99999999999999999999',
    '4.13.0',
    '4.13.10',
  ];
  it.each(ordered.slice(1).map((text, at) => [ordered[at] ?? '', text]))('%s comes before %s', (a, b) => {
    const [left, right] = [parseVersion(a), parseVersion(b)];
    if (left === undefined || right === undefined) throw new Error('not a version');
    expect(compareVersions(left, right)).toBeLessThan(0);
    expect(compareVersions(right, left)).toBeGreaterThan(0);
    expect(compareVersions(left, left)).toBe(0);
  });
  it('does not count build metadata', () => {
    const [left, right] = [parseVersion('1.0.0+a'), parseVersion('1.0.0+b')];
    if (left === undefined || right === undefined) throw new Error('not a version');
    expect(compareVersions(left, right)).toBe(0);
  });
});

describe('inRange', () => {
  it.each([
    ['>=4.5.0 <4.6.0', '4.5.0', true],
    ['>=4.5.0 <4.6.0', '4.6.0', false],
    ['>=4.5.0 <4.6.0', '4.6.0-rc.1', true],
    ['>= 4.5.0  <4.6.0 ', '4.5.9', true],
    ['<0.2.0', '0.1.9', true],
    ['1.2.3', '1.2.3+build', true],
    ['==1.2.3', '1.2.4', false],
    ['!=1.2.3', '1.2.4', true],
    ['>1.0.0 !1.2.3', '1.2.3', false],
    ['<2.0.0 || >=3.0.0', '2.5.0', false],
    ['<2.0.0||>=3.0.0', '3.5.0', true],
    ['1.2.x', '1.2.9', true],
    ['1.2.x', '1.3.0', false],
    ['>1.2.x', '1.3.0', true],
    ['>1.2.x', '1.2.9', false],
    ['<=1.2.x', '1.2.9', true],
    ['<=1.x', '1.9.9', true],
    ['<1.2.x', '1.2.0', false],
    ['1.x.x', '1.9.9', true],
    ['>=4.9.0-0 <4.9.0-202110', '4.9.0-1', true],
  ])('%s and %s: %s', (text, version, expected) => {
    const range = parseVersionRange(text);
    const parsed = parseVersion(version);
    if (range === undefined || parsed === undefined) throw new Error('not read');
    expect(inRange(parsed, range)).toBe(expected);
  });
  it.each([
    '',
    '||',
    '1.0.0 ||',
    '>=',
    '~1.2.3',
    '>=1.2',
    '>=1.0.0,<2.0.0',
    '!=1.2.x',
    'latest',
    '>=1.0.0<2.0.0',
  ])('refuses "%s"', (text) => expect(parseVersionRange(text)).toBeUndefined());
});
