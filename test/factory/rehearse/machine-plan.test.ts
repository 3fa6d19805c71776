import { execFileSync } from 'node:child_process';
import { readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { inspectIso } from '../../../src/boot/iso/inspect-iso.ts';
import { readIsoKargs } from '../../../src/boot/iso/read-iso.ts';
import type { NetworkInterface } from '../../../src/boot/network/machine-network.ts';
import {
  busOf,
  installDiskOf,
  layOver,
  makeTarget,
  memoryFor,
} from '../../../src/factory/rehearse/machine-parts.ts';
import { planCards } from '../../../src/factory/rehearse/network-cards.ts';
import { qemuArguments } from '../../../src/factory/rehearse/qemu-command.ts';
import { REHEARSAL_KARGS, writeStickView } from '../../../src/factory/rehearse/stick-view.ts';
import { realHost } from '../../../src/host/real-host.ts';
import { bipIgnition } from '../../support/bip-ignition.ts';
import { makeCoreosIso } from '../../support/coreos-iso.ts';
import { tempFolder } from '../../support/temp-folder.ts';

const SITE = { addresses: ['192.168.86.45/24'], gateway: '192.168.86.1', dhcp: false };

describe('network cards', () => {
  test.each([
    {
      name: 'by MAC, in the subnet of the site',
      card: { ...SITE, mac: '28:d2:44:d3:ef:1c' },
      device: 'virtio-net-pci,mac=28:d2:44:d3:ef:1c',
      netdev:
        'user,restrict=on,net=192.168.86.0/24,host=192.168.86.1,dns=192.168.86.27,dhcpstart=192.168.86.45,ipv6=off',
    },
    {
      name: 'by the name of its slot',
      card: { ...SITE, name: 'enp0s25' },
      device: 'virtio-net-pci,mac=52:54:00:ed:9e:00,addr=0x19',
      slotsByPath: true,
    },
    {
      name: 'by hotplug slot',
      card: { ...SITE, name: 'ens4' },
      device: 'virtio-net-pci,mac=52:54:00:ed:9e:00,addr=0x4',
    },
    {
      name: 'on board',
      card: { ...SITE, name: 'eno2' },
      device: 'virtio-net-pci,mac=52:54:00:ed:9e:00,acpi-index=2',
    },
    { name: 'a name nobody can give', card: { ...SITE, name: 'enp3s0f1' }, notes: 1 },
    { name: 'a slot that is taken', card: { ...SITE, name: 'ens1' }, notes: 1 },
    {
      name: 'IPv6 alone',
      card: { mac: '28:d2:44:d3:ef:1c', addresses: ['fd00:0:0:5::9/64'], dhcp: false },
      netdev:
        'user,restrict=on,ipv4=off,ipv6-prefix=fd00:0000:0000:0005:0000:0000:0000:0000,ipv6-prefixlen=64',
    },
    {
      name: 'a name server elsewhere',
      card: { ...SITE, mac: '28:d2:44:d3:ef:1c', addresses: ['10.0.0.1/24'], gateway: '10.0.0.254' },
      netdev: 'user,restrict=on,net=10.0.0.0/24,host=10.0.0.254,dns=10.0.0.2,dhcpstart=10.0.0.1,ipv6=off',
    },
  ])('$name', ({ card, device, netdev, slotsByPath = false, notes = 0 }) => {
    const plan = planCards({ interfaces: [card], dns: ['192.168.86.27'] });
    expect(plan.cards).toHaveLength(1);
    if (device !== undefined) expect(plan.cards[0]?.device).toBe(device);
    if (netdev !== undefined) expect(plan.cards[0]?.netdev).toBe(netdev);
    expect(plan.slotsByPath).toBe(slotsByPath);
    expect(plan.notes).toHaveLength(notes);
  });

  test('one for each member of a bond, one for two VLANs of a card, one where nothing is said', () => {
    const bond = { mode: 'active-backup', members: ['52:54:00:00:00:01', '52:54:00:00:00:02'] };
    const macs = (...interfaces: readonly NetworkInterface[]): string[] =>
      planCards({ interfaces, dns: [] }).cards.map(({ mac }) => mac);
    expect(macs({ ...SITE, name: 'bond0', bond })).toEqual(bond.members);
    const mac = '28:d2:44:d3:ef:1c';
    expect(macs({ ...SITE, mac, vlan: 5 }, { mac, vlan: 6, addresses: [], dhcp: true })).toEqual([mac]);
    expect(planCards(undefined).cards).toHaveLength(1);
  });
});

describe('the command line', () => {
  const plan = {
    name: 'bip',
    memoryMiB: 4096,
    processors: 2,
    accelerator: 'tcg',
    stick: '/a,b/stick.iso',
    cacheDisk: '/dev/sdc',
    target: { path: '/t/target.img', bus: 'scsi', format: 'raw' },
    startsFrom: 'stick',
    clock: undefined,
    ...planCards({ interfaces: [{ ...SITE, name: 'enp0s25' }], dns: [] }),
    uefi: undefined,
    logFolder: '/l',
    socketFolder: '/s',
  } as const;

  test('writes to no disk of the user, and every card leads nowhere and is listened to', () => {
    const line = qemuArguments(plan).join(' ');
    expect(line).toContain('id=stick,file=/a,,b/stick.iso,format=raw,readonly=on');
    expect(line).toContain('id=cache,file=/dev/sdc,format=raw,snapshot=on');
    expect(line).toContain('-netdev user,id=net0,restrict=on,');
    expect(line).toContain('filter-dump,id=dump0,netdev=net0,file=/l/network-0.pcap');
    expect(line).toContain('PIIX4_PM.acpi-root-pci-hotplug=off');
  });

  test('starts from the disk it installed to, the stick pulled out or left in, at any time', () => {
    const clock = new Date('2000-01-01T00:00:00Z');
    const line = qemuArguments({ ...plan, startsFrom: 'target', clock }).join(' ');
    expect(line).toContain('drive=target,serial=edgefab-target,bootindex=0');
    expect(line).toContain('drive=stick,serial=edgefab-stick,bootindex=1');
    expect(line).toContain('-rtc base=2000-01-01T00:00:00 ');
    expect(qemuArguments({ ...plan, stick: undefined }).join(' ')).not.toContain('stick');
  });

  test('what is laid over a disk leaves it as it is', async () => {
    const folder = tempFolder();
    const disk = join(folder, 'disk,img');
    const over = join(folder, 'over.qcow2');
    writeFileSync(disk, Buffer.alloc(1024 * 1024, 7));
    await layOver(disk, over, realHost);
    const io = (...args: readonly string[]): string =>
      execFileSync('qemu-io', args, { cwd: folder, encoding: 'utf8' });
    io('-c', 'write -P 9 0 64k', over);
    expect(io('-c', 'read -v 0 1', over)).toMatch(/00000000: {2}09/);
    expect(readFileSync(disk).every((byte) => byte === 7)).toBe(true);
    await expect(layOver(join(folder, 'none'), over, realHost)).rejects.toMatchObject({
      code: 'TOOL_FAILED',
    });
  });

  test.each([
    ['/dev/sda', 'scsi'],
    ['/dev/vda', 'virtio'],
    ['/dev/nvme0n1', 'nvme'],
    ['/dev/disk/by-id/ata-X', undefined],
  ])('%s is attached as %s', (disk, bus) => {
    expect(busOf(disk)).toBe(bus);
  });

  test('the disk is the one the site names, else the one the config installs to', () => {
    const ignition = bipIgnition({ installDisk: '/dev/nvme0n1' });
    expect(installDiskOf({}, ignition)).toBe('/dev/nvme0n1');
    expect(installDiskOf({ installDisk: { path: '/dev/vda' } }, ignition)).toBe('/dev/vda');
  });
});

describe('what it is made of', () => {
  test('the target is large and takes up nothing', async () => {
    const path = join(tempFolder(), 'target.img');
    await makeTarget(path);
    const { size, blocks } = statSync(path);
    expect(size).toBeGreaterThan(120 * 1024 ** 3);
    expect(blocks).toBe(0);
  });

  test('memory: what was asked for, else that of the site, and not more than is free', async () => {
    const meminfo = join(tempFolder(), 'meminfo');
    writeFileSync(meminfo, 'MemTotal: 16384000 kB\nMemAvailable: 8388608 kB\n');
    const site = { name: 'bip', machine: { ramMiB: 32_768 } };
    expect(await memoryFor(site, 4096, meminfo)).toBe(4096);
    expect(await memoryFor({ name: 'bip', machine: { ramMiB: 8192 } }, undefined, meminfo)).toBe(8192);
    await expect(memoryFor(site, undefined, meminfo)).rejects.toMatchObject({ code: 'SPACE_SHORT' });
  });

  test('the stick differs in its kernel arguments only', async () => {
    const folder = tempFolder();
    const [iso, view] = [join(folder, 'site.iso'), join(folder, 'view.iso')];
    await makeCoreosIso(iso);
    const before = await readIsoKargs(await inspectIso(iso));
    const { kargs } = await writeStickView(iso, view, realHost);
    const after = await readIsoKargs(await inspectIso(view));
    expect(after.current).toBe([before.current, ...REHEARSAL_KARGS].join(' '));
    const differing = execFileSync('bash', ['-c', 'cmp -l "$1" "$2" | wc -l', 'cmp', iso, view], {
      encoding: 'utf8',
    });
    expect(Number(differing)).toBeLessThanOrEqual((kargs?.areas.length ?? 0) * (kargs?.capacityBytes ?? 0));
    expect(Number(differing)).toBeGreaterThan(0);
  });
});
