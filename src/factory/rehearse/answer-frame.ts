import {
  addressBytes,
  ETHERTYPE,
  frameBack,
  type Ipv4,
  type Link,
  makeIcmp,
  makeUdp,
  PROTOCOL,
  readFrame,
  readIpv4,
} from './frames.ts';
import { answerLease, type Lease } from './lease-answer.ts';
import { answerName } from './name-answer.ts';
import type { NetworkKind } from './rehearsal.ts';
import { answerTime } from './time-answer.ts';

/** The network around one card of a rehearsed machine; addresses dotted. */
export interface CardNetwork {
  readonly kind: NetworkKind;
  readonly router: string;
  /** Those who are on the link, the router among them. */
  readonly neighbours: readonly string[];
  readonly nameServers: readonly string[];
  readonly timeServers: readonly string[];
  /** What the name servers know; `*.` stands for all below. */
  readonly names: ReadonlyMap<string, string>;
  readonly lease: Lease;
}

const PORT = { dns: 53, dhcpServer: 67, dhcpClient: 68, ntp: 123 } as const;
const ARP_BYTES = 28;
const ARP_REQUEST = 1;
const ARP_REPLY = 2;
const ECHO = { request: 8, reply: 0 } as const;
const UNREACHABLE = 3;
const HOST = 1;
/** RFC 792: the header and the first 64 bits of what could not go on. */
const QUOTED_BYTES = 28;

/** The station of an address here: made from it, so that it needs no memory. Locally administered (IEEE 802). */
function stationOf(address: string): Buffer {
  return Buffer.concat([Buffer.from([0x52, 0x55]), addressBytes(address)]);
}

/** Answers a frame of the machine; undefined where this network stays silent. */
export function answerFrame(frame: Buffer, network: CardNetwork, timeMs: number): Buffer | undefined {
  const read = readFrame(frame);
  if (read === undefined) return undefined;
  const { link, type, body } = read;
  if (type === ETHERTYPE.arp) return answerArp(link, body, network);
  const packet = type === ETHERTYPE.ipv4 ? readIpv4(body) : undefined;
  // The lowest bit of the first byte: it went to more than one station.
  const isToMany = ((link.to[0] ?? 0) & 1) === 1;
  const answer = packet === undefined ? undefined : answerPacket(packet, isToMany, network, timeMs);
  return answer === undefined
    ? undefined
    : frameBack(link, stationOf(network.router), ETHERTYPE.ipv4, answer);
}

/** RFC 826. */
function answerArp(link: Link, body: Buffer, { neighbours }: CardNetwork): Buffer | undefined {
  if (body.length < ARP_BYTES || body.readUInt16BE(6) !== ARP_REQUEST) return undefined;
  const wanted = body.subarray(24, 28).join('.');
  const sender = body.subarray(14, 18).join('.');
  // Who asks for an address it is about to take must not be told that it is taken.
  if (!neighbours.includes(wanted) || wanted === sender) return undefined;
  const station = stationOf(wanted);
  const reply = Buffer.concat([body.subarray(0, 8), station, addressBytes(wanted), body.subarray(8, 18)]);
  reply.writeUInt16BE(ARP_REPLY, 6);
  return frameBack(link, station, ETHERTYPE.arp, reply);
}

function answerPacket(
  packet: Ipv4,
  isToMany: boolean,
  network: CardNetwork,
  timeMs: number,
): Buffer | undefined {
  const { from, to, protocol, body } = packet;
  const port = protocol === PROTOCOL.udp && body.length >= 8 ? body.readUInt16BE(2) : undefined;
  if (port === PORT.dhcpServer) {
    const { router, lease } = network;
    const answer = answerLease(body.subarray(8), lease);
    const way = { from: router, sourcePort: port, to: '255.255.255.255', port: PORT.dhcpClient };
    return answer === undefined ? undefined : makeUdp(way, answer);
  }
  if (isToMany) return undefined;
  if (protocol === PROTOCOL.icmp && body[0] === ECHO.request && network.neighbours.includes(to))
    return makeIcmp({ from: to, to: from }, ECHO.reply, 0, body.subarray(4));
  if (network.kind === 'no-route') return unreachable(packet, network);
  const isServed = network.kind === 'answers' && port !== undefined;
  const answer = !isServed ? undefined : serve(to, port, body.subarray(8), network, timeMs);
  if (answer === undefined || !isServed) return undefined;
  return makeUdp({ from: to, sourcePort: port, to: from, port: body.readUInt16BE(0) }, answer);
}

function serve(
  to: string,
  port: number,
  payload: Buffer,
  { nameServers, timeServers, names }: CardNetwork,
  timeMs: number,
): Buffer | undefined {
  if (port === PORT.dns && nameServers.includes(to)) return answerName(payload, names);
  return port === PORT.ntp && timeServers.includes(to) ? answerTime(payload, timeMs) : undefined;
}

/** No such message is sent about one that tells of a fault itself (RFC 1122 section 3.2.2). */
function unreachable({ from, protocol, body, bytes }: Ipv4, { router }: CardNetwork): Buffer | undefined {
  if (protocol === PROTOCOL.icmp && body[0] !== ECHO.request) return undefined;
  const quoted = Buffer.concat([Buffer.alloc(4), bytes.subarray(0, QUOTED_BYTES)]);
  return makeIcmp({ from: router, to: from }, UNREACHABLE, HOST, quoted);
}
