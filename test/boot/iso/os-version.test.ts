import { expect, test } from 'vitest';
import { type OsVersion, parseOsVersion } from '../../../src/boot/iso/os-version.ts';

const rows: [string, Omit<OsVersion, 'version'> | undefined][] = [
  ['rhcos-46.82.202112161843-0', { name: 'RHCOS', release: '4.6', base: 'RHEL 8.2' }],
  ['rhcos-412.86.202301311551-0', { name: 'RHCOS', release: '4.12', base: 'RHEL 8.6' }],
  ['rhcos-418.94.202501221327-0', { name: 'RHCOS', release: '4.18', base: 'RHEL 9.4' }],
  ['rhcos-9.6.20250826-1', { name: 'RHCOS', base: 'RHEL 9.6' }],
  ['rhel-coreos-10.0.20250628-0', { name: 'RHCOS', base: 'RHEL 10.0' }],
  ['scos-418.9.202410160921-0', { name: 'SCOS', release: '4.18', base: 'CentOS Stream 9' }],
  ['scos-9.0.20250510-0', { name: 'SCOS', base: 'CentOS Stream 9' }],
  ['fedora-coreos-41.20250117.3.0', { name: 'FCOS', base: 'Fedora 41', stream: 'stable' }],
  ['fedora-coreos-42.20250410.2.1', { name: 'FCOS', base: 'Fedora 42', stream: 'testing' }],
  ['fedora-coreos-42.20250410.1.0', { name: 'FCOS', base: 'Fedora 42', stream: 'next' }],
  ['fedora-coreos-38.20230718.dev.0', { name: 'FCOS', base: 'Fedora 38', stream: 'developer build' }],
  ['fedora-coreos-38.20230718.77.0', { name: 'FCOS', base: 'Fedora 38' }],
  ['fedora-coreos-unheard', { name: 'FCOS' }],
  ['rhcos-latest', { name: 'RHCOS' }],
  ['edgefab-demo', undefined],
  ['Fedora-S-dvd-x86_64-41', undefined],
  ['', undefined],
];
test.each(rows)('%s', (volumeId, want) => {
  const got = parseOsVersion(volumeId);
  const version = volumeId.replace(/^[a-z-]+-(?=\d|unheard|latest)/, '');
  expect(got).toEqual(want === undefined ? undefined : { ...want, version });
});
