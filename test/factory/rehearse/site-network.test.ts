import { once } from 'node:events';
import { createConnection, type Socket } from 'node:net';
import { describe, expect, onTestFinished, test } from 'vitest';
import { answerFrame, type CardNetwork } from '../../../src/factory/rehearse/answer-frame.ts';
import { planCardNetwork } from '../../../src/factory/rehearse/card-network.ts';
import { describeTraffic } from '../../../src/factory/rehearse/network-traffic.ts';
import { readPacket } from '../../../src/factory/rehearse/packet.ts';
import { openSiteNetwork } from '../../../src/factory/rehearse/site-network.ts';
import { frame, ipv4, MACHINE, question, ROUTER, tcp, udp } from './frames.ts';

const NODE = '192.168.86.45';
const GATEWAY = '192.168.86.1';
const DNS = '192.168.86.27';
const AWAY = '203.0.113.7';
const NOW = Date.UTC(2026, 0, 2, 3, 4, 5);
const SITE = {
  clusterName: 'bip',
  domain: 'example.com',
  hostname: 'bip',
  network: { interfaces: [], dns: [DNS] },
  ntp: { servers: ['ntp.example.com', '10.0.0.1'] },
};
const SUBNET = { address: NODE, prefix: 24, router: GATEWAY, nameServer: DNS };

const ANSWERS = planCardNetwork('answers', SITE, SUBNET);
const DROPPED = planCardNetwork('dropped', SITE, SUBNET);
const NO_ROUTE = planCardNetwork('no-route', SITE, SUBNET);

function ask(network: CardNetwork, body: Buffer, type = 0x0800): Buffer | undefined {
  return answerFrame(frame(MACHINE, ROUTER, type, body), network, NOW);
}

/** The checksum over bytes that hold their own is all ones, so that its complement is zero (RFC 1071). */
function checksum(...parts: readonly Buffer[]): number {
  const bytes = Buffer.concat(parts);
  let sum = 0;
  for (let at = 0; at < bytes.length; at += 1) sum += (bytes[at] ?? 0) << (at % 2 === 0 ? 8 : 0);
  while (sum > 0xffff) sum = (sum & 0xffff) + (sum >> 16);
  return ~sum & 0xffff;
}

/** The packet in a frame to the machine, its checksums looked at. */
function packetIn(answer: Buffer | undefined): { body: Buffer; from: string } {
  const bytes = answer ?? Buffer.alloc(0);
  expect(bytes.subarray(0, 6).toString('hex')).toBe(MACHINE.replaceAll(':', ''));
  const packet = bytes.subarray(14);
  expect(checksum(packet.subarray(0, 20))).toBe(0);
  const body = packet.subarray(20);
  const pseudo = Buffer.concat([
    packet.subarray(12, 20),
    Buffer.from([0, 17, body.length >> 8, body.length & 255]),
  ]);
  expect(packet[9] === 17 ? checksum(pseudo, body) : checksum(body)).toBe(0);
  return { body, from: packet.subarray(12, 16).join('.') };
}

function arp(wanted: string, sender = NODE): Buffer {
  const bytes = (dotted: string): Buffer => Buffer.from(dotted.split('.').map(Number));
  const head = Buffer.from([0, 1, 8, 0, 6, 4, 0, 1]);
  const station = Buffer.from(MACHINE.replaceAll(':', ''), 'hex');
  return Buffer.concat([head, station, bytes(sender), Buffer.alloc(6), bytes(wanted), Buffer.alloc(18)]);
}

describe('who is on the link', () => {
  test.each([
    ['the router', ANSWERS, GATEWAY, true],
    ['a name server of the subnet', ANSWERS, DNS, true],
    ['nobody', ANSWERS, '192.168.86.99', false],
    ['the machine itself, which asks whether its address is free', ANSWERS, NODE, false],
    ['the router of a site without a way out', NO_ROUTE, GATEWAY, true],
    ['the name server there', NO_ROUTE, DNS, false],
  ])('%s', (_, network, wanted, isThere) => {
    const answer = ask(network, arp(wanted), 0x0806);
    expect(answer?.subarray(14 + 14, 14 + 18).join('.')).toBe(isThere ? wanted : undefined);
    if (answer === undefined) return;
    // Its station is the sender of the frame, and the machine asks no more.
    expect(answer.subarray(6, 12)).toEqual(answer.subarray(14 + 8, 14 + 14));
    expect(readPacket(answer)).toEqual({ kind: 'neighbours' });
  });

  test('a VLAN is answered in that VLAN', () => {
    const tag = Buffer.from([0x00, 0x05, 0x08, 0x06]);
    const answer = ask(ANSWERS, Buffer.concat([tag, arp(GATEWAY)]), 0x8100);
    expect(answer?.subarray(12, 18).toString('hex')).toBe('810000050806');
  });

  test('the router answers an echo', () => {
    const echo = Buffer.from([8, 0, 0, 0, 1, 2, 0, 1, ...Buffer.from('abcdefgh')]);
    const { body, from } = packetIn(ask(ANSWERS, ipv4(1, NODE, GATEWAY, echo)));
    expect(from).toBe(GATEWAY);
    expect([...body.subarray(4)]).toEqual([...echo.subarray(4)]);
    expect(ask(ANSWERS, ipv4(1, NODE, AWAY, echo))).toBeUndefined();
  });
});

/** Asks a name server for the address (type 1) or something else of a name. */
function nameOf(name: string, type = 1, server = DNS): { rcode: number; address: string | undefined } {
  const query = question(name);
  query.writeUInt16BE(0xbeef, 0);
  query.writeUInt16BE(0x0100, 2);
  query.writeUInt16BE(1, 4);
  query.writeUInt16BE(type, query.length - 4);
  const { body, from } = packetIn(ask(ANSWERS, ipv4(17, NODE, server, udp(40_000, 53, query))));
  expect([from, body.readUInt16BE(0), body.readUInt16BE(2)]).toEqual([server, 53, 40_000]);
  const message = body.subarray(8);
  expect(message.readUInt16BE(0)).toBe(0xbeef);
  const answers = message.readUInt16BE(6);
  return {
    rcode: (message[3] ?? 0) & 15,
    address: answers === 0 ? undefined : message.subarray(-4).join('.'),
  };
}

describe('a network that answers', () => {
  test.each([
    ['api.bip.example.com', NODE],
    ['API-INT.bip.example.com', NODE],
    ['console.apps.bip.example.com', NODE],
    ['ntp.example.com', GATEWAY],
    ['bip', NODE],
  ])('knows %s', (name, address) => {
    expect(nameOf(name)).toEqual({ rcode: 0, address });
  });

  test('knows no other type of a name, and no name of outside', () => {
    expect(nameOf('api.bip.example.com', 28)).toEqual({ rcode: 0, address: undefined });
    expect(nameOf('quay.io')).toEqual({ rcode: 3, address: undefined });
    expect(nameOf('example.com')).toEqual({ rcode: 3, address: undefined });
  });

  test('tells the true time', () => {
    const query = Buffer.alloc(48);
    query.writeUInt8(0x23, 0);
    query.writeBigUInt64BE(0x1122334455667788n, 40);
    for (const server of ['10.0.0.1', GATEWAY]) {
      const { body } = packetIn(ask(ANSWERS, ipv4(17, NODE, server, udp(40_000, 123, query))));
      const answer = body.subarray(8);
      expect(answer[0]).toBe(0x24);
      expect(answer.readBigUInt64BE(24)).toBe(0x1122334455667788n);
      expect(answer.readUInt32BE(40) - 2_208_988_800).toBe(NOW / 1000);
    }
    expect(ask(ANSWERS, ipv4(17, NODE, AWAY, udp(40_000, 123, query)))).toBeUndefined();
  });

  test('says nothing to a connection, a broken packet, or a fragment', () => {
    const fragment = ipv4(17, NODE, DNS, udp(40_000, 53, question('a')));
    fragment.writeUInt16BE(0x2000, 6);
    const bodies = [ipv4(6, NODE, DNS, tcp(40_000, 443, 2)), ipv4(17, NODE, DNS, Buffer.alloc(3)), fragment];
    for (const body of [...bodies, Buffer.alloc(5)]) expect(ask(ANSWERS, body)).toBeUndefined();
    expect(answerFrame(Buffer.alloc(10), ANSWERS, NOW)).toBeUndefined();
    for (const query of [Buffer.alloc(12), question('a').subarray(0, 13), Buffer.alloc(600, 63)])
      expect(() => ask(ANSWERS, ipv4(17, NODE, DNS, udp(1, 53, query)))).not.toThrow();
  });

  test('gives an address to who asks for one', () => {
    const network = planCardNetwork('answers', { ...SITE, network: { interfaces: [], dns: [] } }, undefined);
    const discover = Buffer.alloc(300);
    discover.set([1, 1, 6, 0, 9, 9, 9, 9]);
    discover.writeUInt32BE(0x63825363, 236);
    discover.set([53, 1, 1, 255], 240);
    const body = ipv4(17, '0.0.0.0', '255.255.255.255', udp(68, 67, discover));
    const offer = packetIn(answerFrame(frame(MACHINE, 'ff:ff:ff:ff:ff:ff', 0x0800, body), network, NOW));
    const message = offer.body.subarray(8);
    expect(message.subarray(4, 8).toString('hex')).toBe('09090909');
    expect(message.subarray(16, 20).join('.')).toBe('10.0.2.15');
    expect(message.subarray(240).toString('hex')).toBe(
      '35010236040a0002023304000151800104ffffff0003040a00020206040a000203ff',
    );
  });
});

test('a network where all is dropped has a router and is silent otherwise', () => {
  expect(ask(DROPPED, arp(GATEWAY), 0x0806)).toBeDefined();
  expect(ask(DROPPED, ipv4(1, NODE, GATEWAY, Buffer.from([8, 0, 0, 0, 0, 0, 0, 0])))).toBeDefined();
  for (const body of [
    ipv4(6, NODE, AWAY, tcp(40_000, 443, 2)),
    ipv4(17, NODE, DNS, udp(40_000, 53, question('api.bip.example.com'))),
    ipv4(17, NODE, GATEWAY, udp(40_000, 123, Buffer.alloc(48, 0x23))),
  ])
    expect(ask(DROPPED, body)).toBeUndefined();
});

describe('a network without a way out', () => {
  test.each([
    ['a connection', ipv4(6, NODE, AWAY, tcp(40_000, 443, 2))],
    ['a question for a name', ipv4(17, NODE, '10.9.9.9', udp(40_000, 53, question('quay.io')))],
    ['an echo', ipv4(1, NODE, AWAY, Buffer.from([8, 0, 0, 0, 0, 0, 0, 0]))],
  ])('the router says so of %s', (_, body) => {
    const told = packetIn(ask(NO_ROUTE, body));
    expect(told.from).toBe(GATEWAY);
    // Destination unreachable, the host; then the packet it is about.
    expect([...told.body.subarray(0, 2)]).toEqual([3, 1]);
    expect(told.body.subarray(8)).toEqual(body.subarray(0, 28));
  });

  test('and says nothing of what tells of a fault itself', () => {
    expect(ask(NO_ROUTE, ipv4(1, NODE, AWAY, Buffer.from([3, 1, 0, 0, 0, 0, 0, 0])))).toBeUndefined();
  });

  test('nothing that these networks send is payload', () => {
    const asked = [
      frame(MACHINE, ROUTER, 0x0800, ipv4(6, NODE, AWAY, tcp(40_000, 443, 2))),
      frame(MACHINE, ROUTER, 0x0800, ipv4(17, NODE, DNS, udp(40_000, 53, question('quay.io')))),
    ];
    for (const network of [ANSWERS, NO_ROUTE]) {
      const told = asked.flatMap((each) => answerFrame(each, network, NOW) ?? []);
      expect(told.length).toBeGreaterThan(0);
      const frames = [...asked, ...told].map((bytes, index) => ({ timeMs: index, bytes }));
      expect(describeTraffic(frames, [MACHINE])).toMatchObject({
        payloadBytes: 0,
        attempts: [{ kind: 'connection' }, { kind: 'name', about: 'quay.io' }],
      });
    }
  });
});

describe('the wire', () => {
  async function plugIn(netdev: string): Promise<Socket> {
    const port = Number(/^socket,connect=127\.0\.0\.1:(\d+)$/.exec(netdev)?.[1]);
    const socket = createConnection(port, '127.0.0.1');
    onTestFinished(() => void socket.destroy());
    await once(socket, 'connect');
    return socket;
  }

  test('frames come in pieces and together, and after each other from each start', async () => {
    await using network = await openSiteNetwork([ANSWERS], { now: () => new Date(NOW) });
    const [netdev = ''] = network.netdevs;
    const asked = frame(MACHINE, ROUTER, 0x0806, arp(GATEWAY));
    const length = Buffer.alloc(4);
    length.writeUInt32BE(asked.length);
    const one = Buffer.concat([length, asked]);
    for (const _start of [1, 2]) {
      const socket = await plugIn(netdev);
      socket.write(one.subarray(0, 3));
      socket.write(one.subarray(3, 30));
      socket.write(Buffer.concat([one.subarray(30), one]));
      let heard = Buffer.alloc(0);
      while (heard.length < 2 * (4 + 42)) heard = Buffer.concat([heard, (await once(socket, 'data'))[0]]);
      expect(heard.readUInt32BE(0)).toBe(42);
      expect(heard.subarray(46)).toEqual(heard.subarray(0, 46));
      socket.destroy();
    }
  });

  test('what is no frame ends the connection', async () => {
    await using network = await openSiteNetwork([ANSWERS], { now: () => new Date(NOW) });
    const socket = await plugIn(network.netdevs[0] ?? '');
    socket.write(Buffer.from('GET / HTTP/1.1\r\n\r\n'));
    await once(socket.resume(), 'close');
  });
});
