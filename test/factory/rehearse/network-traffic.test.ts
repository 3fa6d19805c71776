import { describe, expect, test } from 'vitest';
import { describeTraffic } from '../../../src/factory/rehearse/network-traffic.ts';
import { parsePcap } from '../../../src/formats/pcap.ts';
import { frame, ipv4, ipv6, MACHINE, pcap, question, ROUTER, tcp, udp } from './frames.ts';

const OWN = '192.168.86.45';
const AWAY = '203.0.113.7';
const SYN = 0x02;
const SYN_ACK = 0x12;
const ACK = 0x10;

function traffic(...frames: readonly Buffer[]) {
  return describeTraffic(parsePcap(pcap(frames), 'made.pcap'), [MACHINE.toUpperCase()]);
}

const out = (body: Buffer, type = 0x0800): Buffer => frame(MACHINE, ROUTER, type, body);
const back = (body: Buffer): Buffer => frame(ROUTER, MACHINE, 0x0800, body);

describe('what a machine asked for', () => {
  test.each([
    {
      name: 'a name',
      body: ipv4(17, OWN, '192.168.86.27', udp(40000, 53, question('quay.io'))),
      kind: 'name',
      to: '192.168.86.27:53',
      about: 'quay.io',
    },
    {
      name: 'the time',
      body: ipv4(17, OWN, AWAY, udp(123, 123, Buffer.alloc(48))),
      kind: 'time',
      to: `${AWAY}:123`,
    },
    {
      name: 'an address',
      body: ipv4(17, '0.0.0.0', '255.255.255.255', udp(68, 67, Buffer.alloc(300))),
      kind: 'address',
      to: '255.255.255.255:67',
    },
    {
      name: 'a connection',
      body: ipv4(6, OWN, AWAY, tcp(40000, 443, SYN)),
      kind: 'connection',
      to: `${AWAY}:443`,
    },
    {
      name: 'all on the link',
      body: ipv4(17, OWN, '224.0.0.251', udp(5353, 5353, Buffer.alloc(20))),
      kind: 'local',
      to: '224.0.0.251:5353',
      about: 'UDP',
    },
    { name: 'an echo', body: ipv4(1, OWN, AWAY, Buffer.alloc(64)), kind: 'other', to: AWAY, about: 'ICMP' },
    {
      name: 'a broken header',
      body: ipv4(6, OWN, AWAY, Buffer.alloc(3)),
      kind: 'other',
      to: AWAY,
      about: 'tcp',
    },
  ])('$name', ({ body, kind, to, about }) => {
    const { attempts } = traffic(out(body), out(body));
    expect(attempts).toEqual([
      { kind, to, count: 2, firstSeconds: 0, ...(about === undefined ? {} : { about }) },
    ]);
  });

  test('by what addresses it is known', () => {
    const sent = (from: string): Buffer => out(ipv4(6, from, AWAY, tcp(40000, 443, SYN)));
    const { addresses } = traffic(
      sent(OWN),
      sent('0.0.0.0'),
      sent('169.254.1.1'),
      sent(OWN),
      back(ipv4(1, AWAY, OWN, Buffer.alloc(8))),
    );
    expect(addresses).toEqual([OWN]);
  });

  test('over IPv6, with and without a VLAN', () => {
    const from = `fd00${'0'.repeat(27)}5`;
    const to = `fd00${'0'.repeat(27)}1`;
    const body = ipv6(6, from, to, tcp(40000, 443, SYN));
    const tag = Buffer.from([0, 5, 0x86, 0xdd]);
    const { attempts } = traffic(out(body, 0x86dd), out(Buffer.concat([tag, body]), 0x8100));
    expect(attempts).toEqual([{ kind: 'connection', to: '[fd00::1]:443', count: 2, firstSeconds: 0 }]);
  });

  test('who is on the link is no attempt, and what nobody knows is one', () => {
    const solicitation = ipv6(
      58,
      '0'.repeat(32),
      `ff02${'0'.repeat(27)}2`,
      Buffer.from([133, 0, 0, 0, 0, 0, 0, 0]),
    );
    const { attempts } = traffic(
      out(Buffer.alloc(28), 0x0806),
      out(solicitation, 0x86dd),
      out(Buffer.alloc(4), 0x88cc),
    );
    expect(attempts).toEqual([
      { kind: 'other', to: 'the link', about: 'a frame of type 0x88cc', count: 1, firstSeconds: 2 },
    ]);
  });
});

describe('what a machine was given', () => {
  test.each([
    ['a name', ipv4(17, AWAY, OWN, udp(53, 40000, Buffer.alloc(80))), 0],
    ['a refusal', ipv4(6, AWAY, OWN, tcp(443, 40000, SYN_ACK)), 0],
    ['bytes over TCP', ipv4(6, AWAY, OWN, tcp(443, 40000, ACK, Buffer.alloc(1000))), 1000],
    ['bytes over QUIC', ipv4(17, AWAY, OWN, udp(443, 40000, Buffer.alloc(1200))), 1200],
  ])('%s', (_, body, payloadBytes) => {
    expect(traffic(back(body))).toMatchObject({ payloadBytes, attempts: [], frames: 1 });
  });
});

describe('captures', () => {
  test('a record that was cut off is left out', () => {
    const whole = pcap([Buffer.alloc(60), Buffer.alloc(60)]);
    expect(parsePcap(whole.subarray(0, -1), 'made.pcap')).toHaveLength(1);
    expect(parsePcap(pcap([Buffer.alloc(60)], 0xa1b23c4d), 'made.pcap')).toHaveLength(1);
  });

  test.each([
    ['too short', Buffer.alloc(10), 'it has 10 bytes'],
    ['another file', Buffer.alloc(24), 'it begins with 0'],
    ['another link', pcap([]).fill(101, 20, 21), 'its link type is 101'],
    [
      'an endless record',
      Buffer.concat([pcap([]), Buffer.from('0000000000000000ffffff7f00000000', 'hex')]),
      'the record at 24 says it has 2147483647 bytes',
    ],
  ])('%s is refused', (_, bytes, why) => {
    expect(() => parsePcap(bytes, 'made.pcap')).toThrow(why);
  });
});
