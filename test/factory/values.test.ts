import { describe, expect, test } from 'vitest';
import type { z } from 'zod/v4';
import * as values from '../../src/factory/values.ts';

const L63 = 'a'.repeat(63);

const TABLE: Record<string, { schema: z.ZodType; accepts: unknown[]; refuses: unknown[] }> = {
  label: {
    schema: values.label,
    accepts: ['a', 'shop-12', '0', L63],
    refuses: ['', 'A', '-a', 'a-', 'a.b', 'a_b', `${L63}a`, '../x', 'a\n', 'ä'],
  },
  hostName: {
    schema: values.hostName,
    accepts: ['bip', 'bip.edge.example.com', L63, `${L63}.${L63}.${L63}.${'a'.repeat(61)}`],
    refuses: [
      'localhost',
      'localhost.localdomain',
      'a_b',
      'a..b',
      '.a',
      'a.',
      `${L63}a`,
      `${L63}.${L63}.${L63}.${'a'.repeat(62)}`,
    ],
  },
  domain: {
    schema: values.domain,
    accepts: ['edge.example.com', 'a.b'],
    refuses: ['edge', 'Edge.com', 'a.b.', '*.a.b'],
  },
  ipAddress: {
    schema: values.ipAddress,
    accepts: ['10.0.0.1', 'fd00::1', '::ffff:10.0.0.1'],
    refuses: ['10.0.0', '10.0.0.256', '10.0.0.1/24', 'fe80::1%eth0', 'dns.example.com', ''],
  },
  interfaceAddress: {
    schema: values.interfaceAddress,
    accepts: ['192.168.86.45/24', 'fd00::5/64', '10.0.0.0/31'],
    refuses: [
      '192.168.86.45',
      '192.168.86.45/33',
      '192.168.86.0/24',
      '192.168.86.255/24',
      'fd00::/64',
      '127.0.0.1/8',
      '224.0.0.1/8',
    ],
  },
  serverName: {
    schema: values.serverName,
    accepts: ['10.0.0.1', 'ntp.example.com', 'fd00::1'],
    refuses: ['ntp server', 'http://ntp', '', 'a_b'],
  },
  macAddress: {
    schema: values.macAddress,
    accepts: ['28:d2:44:d3:ef:1c', '28:D2:44:D3:EF:1C', '28-d2-44-d3-ef-1c', '02:00:00:00:00:01'],
    refuses: [
      '28:d2:44:d3:ef',
      '28d244d3ef1c',
      '01:00:5e:00:00:01',
      'ff:ff:ff:ff:ff:ff',
      '00:00:00:00:00:00',
      '2g:d2:44:d3:ef:1c',
    ],
  },
  interfaceName: {
    schema: values.interfaceName,
    accepts: ['eth0', 'enp0s25', 'a23456789012345', 'bond0.100'],
    refuses: ['', '.', '..', 'a234567890123456', 'eth0:1', 'a/b', 'a b', '-x'],
  },
  vlanId: { schema: values.vlanId, accepts: [1, 4094], refuses: [0, 4095, 1.5, '5', -1] },
  duration: {
    schema: values.duration,
    accepts: ['7d', '24h', '30d', '90m', '1y'],
    refuses: ['', '7', '0d', '7 d', '7D', '1w', '-7d', '1.5d', '100000d'],
  },
  releaseVersion: {
    schema: values.releaseVersion,
    accepts: ['4.18.9', '4.21.0-ec.3', '4.21.0-okd-scos.5'],
    refuses: ['4.18', 'v4.18.9', '4.18.09', '4.18.x', '4.18.9 '],
  },
  architecture: {
    schema: values.architecture,
    accepts: ['x86_64', 'aarch64', 's390x', 'ppc64le'],
    refuses: ['amd64', 'X86_64', ''],
  },
  devicePath: {
    schema: values.devicePath,
    accepts: ['/dev/sda', '/dev/nvme0n1', '/dev/disk/by-id/wwn-0x5000c500a1b2c3d4', '/dev/mapper/a'],
    refuses: [
      '/dev',
      '/dev/',
      'sda',
      '/etc/passwd',
      '/dev/../etc/passwd',
      '/dev/./sda',
      '/dev/sda;reboot',
      '/dev/$(x)',
      '/dev/a b',
      '/dev/sda/',
    ],
  },
  diskId: {
    schema: values.diskId,
    accepts: ['ata-Samsung_SSD_870_S5Y1NG0N', 'nvme-eui.0025385b21404321'],
    refuses: ['', '..', 'a/b', 'a b', '$x'],
  },
  kernelArgument: {
    schema: values.kernelArgument,
    accepts: ['console=ttyS0', 'a="b c"', 'quiet'],
    refuses: ['', ' a', 'a ', 'a\nb', 'a\tb', 'a#b', 'ä', 'x'.repeat(1025)],
  },
  filePath: { schema: values.filePath, accepts: ['a', '~/a b', '/x/../y'], refuses: ['', 'a\nb', 'a\0b', 3] },
  environmentName: {
    schema: values.environmentName,
    accepts: ['PULL_SECRET', '_a1'],
    refuses: ['', '1a', 'A-B', '{"auths":{}}'],
  },
  sshPublicKey: {
    schema: values.sshPublicKey,
    accepts: ['ssh-ed25519 AAAAC3Nz me@host', 'ecdsa-sha2-nistp256 AAAA', 'sk-ssh-ed25519@openssh.com AAAA'],
    refuses: ['', 'AAAA', 'ssh-rsa AAAA\nssh-rsa BBBB', '-----BEGIN OPENSSH PRIVATE KEY-----'],
  },
};

describe.each(Object.entries(TABLE))('%s', (_name, { schema, accepts, refuses }) => {
  test.each(accepts)('accepts %j', (value) => {
    expect(schema.safeParse(value).success).toBe(true);
  });
  test.each(refuses)('refuses %j', (value) => {
    expect(schema.safeParse(value).success).toBe(false);
  });
});

test('a MAC address is made lower case with colons', () => {
  expect(values.macAddress.parse('28-D2-44-D3-EF-1C')).toBe('28:d2:44:d3:ef:1c');
});

test.each([
  ['90m', 5_400_000],
  ['24h', 86_400_000],
  ['30d', 2_592_000_000],
  ['1y', 31_536_000_000],
  ['soon', undefined],
])('durationMs(%s) is %s', (text, want) => {
  expect(values.durationMs(text)).toBe(want);
});
