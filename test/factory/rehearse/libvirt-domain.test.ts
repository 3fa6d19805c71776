import { execFileSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { libvirtFiles } from '../../../src/factory/rehearse/libvirt-domain.ts';
import type { Site } from '../../../src/factory/site.ts';
import { tempFolder } from '../../support/temp-folder.ts';
import { haveTools } from '../../support/tools.ts';

const SITE: Site = {
  name: 'oslo-7',
  clusterName: 'oslo-7',
  domain: 'edge.example.com',
  hostname: 'oslo-7',
  machine: { ramMiB: 32_768 },
  cache: { mode: 'registry', location: 'usb', keepOnNode: true },
  dns: 'local',
  network: {
    interfaces: [
      { mac: '28:d2:44:d3:ef:1c', addresses: ['192.168.86.45/24'], gateway: '192.168.86.1', dhcp: false },
    ],
    dns: ['192.168.86.27'],
  },
  ntp: { servers: [] },
  certificates: {},
  overlays: [],
  manifests: [],
  kargs: { append: [], delete: [] },
  place: {},
};
const OPTIONS = {
  iso: "/srv/o'slo.iso",
  disk: '/dev/disk/by-id/usb-X',
  installDisk: '/dev/sda',
  memoryMiB: undefined,
  firmware: 'uefi',
  processors: 4,
} as const;

test('stick first, then the disk to install to; the cache beside them; the network of the site', () => {
  const { domain, network, networkManager } = libvirtFiles(SITE, OPTIONS);
  expect(domain).toMatch(
    /^<domain type='kvm'>\n {2}<name>edgefab-oslo-7<\/name>\n {2}<memory unit='MiB'>32768</,
  );
  expect(domain).toContain("<os firmware='efi'>");
  expect(domain).toContain("<target dev='sda' bus='scsi'/>\n      <boot order='2'/>");
  expect(domain).toContain(
    "<source file='/srv/o&#39;slo.iso'/>\n      <target dev='vda' bus='virtio'/>\n      <readonly/>\n      <boot order='1'/>",
  );
  expect(domain).toContain("<source dev='/dev/disk/by-id/usb-X'/>");
  expect(domain).toContain("<mac address='28:d2:44:d3:ef:1c'/>");
  expect(network).toContain("<ip address='192.168.86.1' netmask='255.255.255.0'/>");
  expect(network).not.toContain('<forward');
  const [, bridge = ''] = /bridge name='([^']+)'/.exec(network ?? '') ?? [];
  expect(bridge.length).toBeLessThanOrEqual(15);
  expect(networkManager).toBe(`[keyfile]\nunmanaged-devices=interface-name:${bridge};interface-name:vnet*\n`);
});

test('a cache on the disk to install to is that disk, and another name is said', () => {
  const own = { ...SITE, cache: { ...SITE.cache, location: 'installDisk' } } as const;
  const { domain } = libvirtFiles(own, { ...OPTIONS, disk: '/srv/cache.qcow2', installDisk: '/dev/nvme0n1' });
  expect(domain).toMatch(/^<!-- the site installs to \/dev\/nvme0n1: here it is \/dev\/sda -->/);
  expect(domain).toContain("<driver name='qemu' type='qcow2'/>\n      <source file='/srv/cache.qcow2'/>");
  expect(domain.match(/<disk /g)).toHaveLength(2);
});

test('without a fixed address there is no network to describe', () => {
  const { network, dnsmasq } = libvirtFiles({ ...SITE, network: { interfaces: [], dns: [] } }, OPTIONS);
  expect([network, dnsmasq]).toEqual([undefined, undefined]);
});

const hasDnsmasq = haveTools('dnsmasq');
test.skipIf(!hasDnsmasq)(
  `dnsmasq takes its part${hasDnsmasq ? '' : ' (SKIPPED: no dnsmasq on PATH)'}`,
  () => {
    const file = join(tempFolder(), 'dnsmasq.conf');
    writeFileSync(file, libvirtFiles(SITE, OPTIONS).dnsmasq ?? '');
    execFileSync('dnsmasq', ['--test', `--conf-file=${file}`], { stdio: 'pipe' });
  },
);
