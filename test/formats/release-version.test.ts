import { describe, expect, it } from 'vitest';
import { compareReleaseVersions, parseReleaseVersion } from '../../src/formats/release-version.ts';

function version(text: string) {
  const parsed = parseReleaseVersion(text);
  if (parsed === undefined) throw new Error(`${text} should be a version`);
  return parsed;
}

describe('compareReleaseVersions', () => {
  // Each list ascends strictly.
  it.each([
    [
      'semver 2.0.0 clause 11',
      '1.0.0-alpha 1.0.0-alpha.1 1.0.0-alpha.beta 1.0.0-beta 1.0.0-beta.2 1.0.0-beta.11 1.0.0-rc.1 1.0.0',
    ],
    ['numbers, not letters', '4.9.60 4.10.0 4.10.3 4.10.20 4.11.0'],
    ['candidates', '4.16.0-ec.1 4.16.0-ec.12 4.16.0-rc.0 4.16.0-rc.1 4.16.0 4.16.1'],
    ['OKD SCOS', '4.20.0-okd-scos.17 4.21.0-okd-scos.3 4.21.0-okd-scos.10 4.21.0-okd-scos.ec.2 4.21.0'],
    ['OKD by date', '4.15.0-0.okd-2024-01-27-070424 4.15.0-0.okd-2024-03-10-010116 4.15.0'],
    ['nightlies', '4.18.0-0.nightly-2025-01-02-030405 4.18.0-0.nightly-2025-01-03-000000 4.18.0-ec.0'],
    ['numbers beyond 2^53', '1.0.0-9007199254740993 1.0.0-9007199254740994 1.0.0-10000000000000000'],
  ])('orders %s', (_name, list) => {
    const versions = list.split(' ').map(version);
    for (const [i, a] of versions.entries()) {
      for (const [j, b] of versions.entries()) {
        expect(Math.sign(compareReleaseVersions(a, b)), `${a.text} ${b.text}`).toBe(Math.sign(i - j));
      }
    }
  });

  it('gives build metadata no rank', () => {
    expect(compareReleaseVersions(version('4.2.14+amd64'), version('4.2.14+s390x'))).toBe(0);
  });
});

describe('parseReleaseVersion', () => {
  it.each([
    '',
    '4',
    '4.18',
    'v4.18.9',
    '4.18.09',
    '4.18.9-',
    '4.18.9-rc..1',
    '4.18.9-01',
    '4.18.9 ',
    '4.18.9+',
    `${'9'.repeat(30)}.0.0`,
  ])('does not read "%s"', (text) => {
    expect(parseReleaseVersion(text)).toBeUndefined();
  });
});
