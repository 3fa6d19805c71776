import { describe, expect, test } from 'vitest';
import { isoAddress } from '../../../src/factory/fetch/fetch-iso.ts';
import { mediaRequest } from '../../../src/factory/fetch/media-request.ts';
import {
  installerArchive,
  listedReleases,
  mirrorFolder,
  publicMirror,
  releasesFolder,
} from '../../../src/factory/fetch/mirror-layout.ts';
import { parseExactRelease } from '../../../src/mirror/imageset/release-sources.ts';

test.each([
  ['4.18.9', 'x86_64', 'https://mirror.openshift.com/pub/openshift-v4/x86_64/clients/ocp/4.18.9/'],
  [
    '4.16.0-rc.1',
    'aarch64',
    'https://mirror.openshift.com/pub/openshift-v4/aarch64/clients/ocp/4.16.0-rc.1/',
  ],
  [
    '4.22.0-ec.3',
    'x86_64',
    'https://mirror.openshift.com/pub/openshift-v4/x86_64/clients/ocp-dev-preview/4.22.0-ec.3/',
  ],
  ['4.21.0-okd-scos.3', 'x86_64', 'https://github.com/okd-project/okd/releases/download/4.21.0-okd-scos.3/'],
  [
    '4.15.0-0.okd-2024-03-10-010116',
    'x86_64',
    'https://github.com/okd-project/okd/releases/download/4.15.0-0.okd-2024-03-10-010116/',
  ],
])('%s for %s is published at %s', (version, arch, want) => {
  const template = publicMirror(parseExactRelease(version));
  expect(mirrorFolder(template, version, arch).href).toBe(want);
});

test.each([
  ['https://m/ocp/{version}/', 'https://m/ocp/'],
  ['https://m/{arch}/ocp/{version}', 'https://m/x86_64/ocp/'],
  ['https://m/{version}/linux/', undefined],
  ['https://m/folder/', undefined],
])('the releases of %s are listed at %s', (template, want) => {
  expect(releasesFolder(template, 'x86_64')?.href).toBe(want);
});

test.each([
  ['not an address', /is not an address/],
  ['ftp://m/', /is not an http or https address/],
  ['https://me:HUSH@m/', /holds a name or password/],
])('a mirror "%s" is refused', (template, message) => {
  const fill = (): URL => mirrorFolder(template, '4.18.9', 'x86_64');
  expect(fill).toThrow(
    expect.objectContaining({ code: 'USAGE_INVALID', message: expect.stringMatching(message) }),
  );
  expect(fill).toThrow(/^(?!.*HUSH)/);
});

test('listedReleases finds those of the same minor, newest first, and no more than a few', () => {
  const names = [
    '4.18.0-rc.1',
    ...Array.from({ length: 12 }, (_, at) => `4.18.${at}`),
    '4.17.9',
    '../',
    'latest',
  ];
  const html = names.map((name) => `<a href="${name}/">${name}</a>`).join('\n');
  expect(listedReleases(html, parseExactRelease('4.18.99'))).toEqual(
    [11, 10, 9, 8, 7, 6, 5, 4].map((patch) => `4.18.${patch}`),
  );
});

describe('installerArchive', () => {
  const V = '4.18.9';
  test.each<[string[], string, string, string | undefined]>([
    [
      ['openshift-install-linux.tar.gz', `openshift-install-linux-${V}.tar.gz`],
      'x86_64',
      'x86_64',
      `openshift-install-linux-${V}.tar.gz`,
    ],
    [
      ['openshift-install-linux.tar.gz', 'openshift-install-mac.tar.gz'],
      'x86_64',
      'x86_64',
      'openshift-install-linux.tar.gz',
    ],
    [
      [`openshift-install-linux-${V}.tar.gz`, `openshift-install-linux-amd64-${V}.tar.gz`],
      'aarch64',
      'x86_64',
      `openshift-install-linux-amd64-${V}.tar.gz`,
    ],
    [[`openshift-install-linux-${V}.tar.gz`], 'aarch64', 'x86_64', undefined],
    [[`openshift-install-rhel9-amd64.tar.gz`], 'x86_64', 'x86_64', undefined],
    [[], 'x86_64', 'x86_64', undefined],
  ])('of %j for %s on %s: %s', (names, release, machine, want) => {
    expect(installerArchive(new Set(names), V, { release, machine })).toBe(want);
  });
});

describe('isoAddress', () => {
  const location =
    'https://rhcos.mirror.openshift.com/art/builds/9.6.1-0/x86_64/rhcos-9.6.1-0-live-iso.x86_64.iso';
  const name = 'rhcos-9.6.1-0-live-iso.x86_64.iso';
  test.each<[string | undefined, string]>([
    [undefined, location],
    ['https://m/isos', `https://m/isos/${name}`],
    ['https://m/isos/', `https://m/isos/${name}`],
    ['https://m/raw/{path}', `https://m/raw/art/builds/9.6.1-0/x86_64/${name}`],
    ['https://m/get?file={file}', `https://m/get?file=${name}`],
  ])('with --iso-mirror %s', (mirror, want) => {
    expect(isoAddress({ location }, mirror)).toMatchObject({ url: { href: want }, name });
  });
  test.each([
    'nowhere',
    'file:///etc/passwd',
    'https://u:p@m/x.iso',
    'https://m/',
    'https://m/..%2fx',
    'https://m/.hidden',
  ])('an installer that names "%s"', (bad) => {
    expect(() => isoAddress({ location: bad }, undefined)).toThrow(
      expect.objectContaining({ code: 'TOOL_FAILED' }),
    );
  });
});

test('mediaRequest without a factory wants an exact release', async () => {
  const wishes = { parts: 'all', machine: 'x86_64', overwrite: false } as const;
  await expect(mediaRequest({ ...wishes, release: '4.18' }, undefined)).rejects.toMatchObject({
    code: 'USAGE_INVALID',
  });
  expect(await mediaRequest({ ...wishes, release: '4.18.9', folder: '/m' }, undefined)).toMatchObject({
    release: { arch: 'x86_64', version: { text: '4.18.9' } },
    installer: '/m/openshift-install',
    liveIso: { folder: '/m' },
  });
});
