import { describe, expect, test } from 'vitest';
import {
  dottedNetmask,
  inSubnet,
  isLinkLocal,
  parseInterfaceAddress,
  parseIp,
  unusableReason,
} from '../../src/formats/ip-address.ts';

describe('parseIp', () => {
  test.each([
    ['0.0.0.0', 0n],
    ['192.168.86.45', 0xc0a8562dn],
    ['255.255.255.255', 0xffffffffn],
    ['::', 0n],
    ['::1', 1n],
    ['fd00::1', (0xfd00n << 112n) | 1n],
    ['1:2:3:4:5:6:7:8', 0x00010002000300040005000600070008n],
    ['2001:db8::', 0x20010db8n << 96n],
    ['::ffff:192.168.86.45', 0xffffc0a8562dn],
    ['64:ff9b::10.0.0.1', (0x64ff9bn << 96n) | 0x0a000001n],
  ])('%s', (text, value) => {
    expect(parseIp(text)?.value).toBe(value);
  });

  test.each([
    '',
    '1.2.3',
    '1.2.3.4.5',
    '256.1.1.1',
    '01.2.3.4',
    '1.2.3.4/24',
    ':::',
    '1::2::3',
    'fe80::1%eth0',
    'host',
  ])('refuses %j', (text) => {
    expect(parseIp(text)).toBeUndefined();
  });
});

test.each([
  '1.2.3.4',
  '1.2.3.4/',
  '1.2.3.4/33',
  '1.2.3.4/024',
  '1.2.3.4/-1',
  'fd00::1/129',
  '/24',
  '1.2.3.4/24/8',
])('parseInterfaceAddress refuses %j', (text) => {
  expect(parseInterfaceAddress(text)).toBeUndefined();
});

test.each([
  ['192.168.86.45/24', undefined],
  ['192.168.86.0/24', 'the network address of its /24'],
  ['192.168.86.255/24', 'the broadcast address of its /24'],
  ['192.168.86.255/16', undefined],
  ['10.0.0.0/31', undefined],
  ['10.0.0.1/32', undefined],
  ['127.0.0.1/8', 'a loopback address'],
  ['0.0.0.5/8', 'an unspecified address'],
  ['224.0.0.5/24', 'a multicast or reserved address'],
  ['255.255.255.255/32', 'a multicast or reserved address'],
  ['fd00::/64', 'the network address of its /64'],
  ['fd00::5/64', undefined],
  ['fd00::/127', undefined],
  ['ff02::1/64', 'a multicast or reserved address'],
  ['::1/128', 'a loopback address'],
  ['::/128', 'an unspecified address'],
])('unusableReason(%s) is %j', (text, want) => {
  const address = parseInterfaceAddress(text);
  expect(address).toBeDefined();
  expect(address && unusableReason(address)).toBe(want);
});

test.each([
  ['192.168.86.1', '192.168.86.45/24', true],
  ['192.168.87.1', '192.168.86.45/24', false],
  ['192.168.87.1', '192.168.86.45/23', true],
  ['1.1.1.1', '10.0.0.1/0', true],
  ['fd00::ffff', 'fd00::1/64', true],
  ['fd00:0:0:1::1', 'fd00::1/64', false],
  ['::1', '0.0.0.1/0', false],
])('%s in the subnet of %s: %s', (ip, subnet, want) => {
  const [address, network] = [parseIp(ip), parseInterfaceAddress(subnet)];
  expect(address && network && inSubnet(address, network)).toBe(want);
});

test.each([
  ['fe80::1', true],
  ['febf::1', true],
  ['fec0::1', false],
  ['169.254.0.1', false],
])('%s is link-local IPv6: %s', (text, want) => {
  const ip = parseIp(text);
  expect(ip && isLinkLocal(ip)).toBe(want);
});

test.each([
  [0, '0.0.0.0'],
  [8, '255.0.0.0'],
  [20, '255.255.240.0'],
  [24, '255.255.255.0'],
  [32, '255.255.255.255'],
])('/%d is %s', (prefix, want) => {
  expect(dottedNetmask(prefix)).toBe(want);
});
