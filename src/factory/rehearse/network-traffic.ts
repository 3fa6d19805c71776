import type { CapturedFrame } from '../../formats/pcap.ts';
import { type Packet, readPacket } from './packet.ts';

/** Something the machine asked the network for, and how often. */
export interface NetworkAttempt {
  /** `name` DNS, `time` NTP, `address` DHCP, `connection` TCP, `local` to all on the link, `other` the rest. */
  readonly kind: 'name' | 'time' | 'address' | 'connection' | 'local' | 'other';
  /** HOST:PORT, or what else it went to. */
  readonly to: string;
  /** The name that was asked for. */
  readonly about?: string;
  readonly count: number;
  /** Since the capture began. */
  readonly firstSeconds: number;
}

/** What went over the wire of a rehearsed machine. */
export interface NetworkTraffic {
  readonly attempts: readonly NetworkAttempt[];
  /** Bytes that programs of the machine were sent, those that only answer for names, time and addresses left out. */
  readonly payloadBytes: number;
  readonly frames: number;
  /** Addresses the machine sent from, those that hold on the link alone left out. */
  readonly addresses: readonly string[];
}

const DNS = 53;
const NTP = 123;
const DHCP = [67, 68, 546, 547];
const MAC_BYTES = 6;
const MAX_NAME_LABELS = 128;

/** The name a DNS query asks for (RFC 1035 section 4.1.2); compression is not used in a first name. */
function queriedName(message: Buffer): string {
  const labels: string[] = [];
  for (let at = 12; at < message.length && labels.length < MAX_NAME_LABELS; ) {
    const length = message[at] ?? 0;
    if (length === 0 || length > 63) break;
    labels.push(message.toString('latin1', at + 1, at + 1 + length).replace(/[^\x21-\x7e]/g, '?'));
    at += 1 + length;
  }
  return labels.join('.');
}

function isLinkWide(address: string): boolean {
  const first = Number(address.split('.')[0]);
  return address === '255.255.255.255' || (first >= 224 && first <= 239) || address.startsWith('ff');
}

/** Not one of a machine that has none yet, nor one of the link (RFC 3927, RFC 4291 section 2.5.6). */
function isOwnAddress(address: string): boolean {
  return (
    address !== '' && address !== '0.0.0.0' && address !== '::' && !/^(?:169\.254\.|fe80:)/.test(address)
  );
}

function hostPort(host: string, port: number): string {
  return host.includes(':') ? `[${host}]:${port}` : `${host}:${port}`;
}

type Seen = Pick<NetworkAttempt, 'kind' | 'to' | 'about'>;

/** What a packet of the machine asks for; undefined where it only goes on with what was begun. */
function askedBy(packet: Packet): Seen | undefined {
  switch (packet.kind) {
    case 'neighbours':
      return undefined;
    case 'other':
      return { kind: 'other', to: packet.to || 'the link', about: packet.what };
    case 'tcp':
      return packet.opens ? { kind: 'connection', to: hostPort(packet.to, packet.port) } : undefined;
    case 'udp': {
      const to = hostPort(packet.to, packet.port);
      if (packet.port === DNS) return { kind: 'name', to, about: queriedName(packet.payload) };
      if (packet.port === NTP) return { kind: 'time', to };
      if (DHCP.includes(packet.port)) return { kind: 'address', to };
      return { kind: isLinkWide(packet.to) ? 'local' : 'other', to, about: 'UDP' };
    }
    default:
      return packet satisfies never;
  }
}

/** Payload of a packet to the machine that is more than an answer about names, time or its own address. */
function payloadOf(packet: Packet): number {
  if (packet.kind === 'tcp') return packet.payload.length;
  if (packet.kind !== 'udp' || [DNS, NTP, ...DHCP].includes(packet.sourcePort)) return 0;
  return isLinkWide(packet.to) ? 0 : packet.payload.length;
}

/** Says what a machine with these MAC addresses asked for and was given, out of what was captured on its cards. */
export function describeTraffic(frames: readonly CapturedFrame[], macs: readonly string[]): NetworkTraffic {
  const own = new Set(macs.map((mac) => mac.toLowerCase()));
  const start = frames[0]?.timeMs ?? 0;
  const found = new Map<string, Seen & { count: number; firstSeconds: number }>();
  const addresses = new Set<string>();
  let payloadBytes = 0;
  for (const { timeMs, bytes } of frames) {
    const source = [...bytes.subarray(MAC_BYTES, 2 * MAC_BYTES)]
      .map((byte) => byte.toString(16).padStart(2, '0'))
      .join(':');
    const packet = readPacket(bytes);
    if (!own.has(source)) {
      payloadBytes += payloadOf(packet);
      continue;
    }
    if ('from' in packet && isOwnAddress(packet.from)) addresses.add(packet.from);
    const seen = askedBy(packet);
    if (seen === undefined) continue;
    const key = `${seen.kind} ${seen.to} ${seen.about ?? ''}`;
    const entry = found.get(key) ?? { ...seen, count: 0, firstSeconds: (timeMs - start) / 1000 };
    found.set(key, { ...entry, count: entry.count + 1 });
  }
  return {
    attempts: [...found.values()],
    payloadBytes,
    frames: frames.length,
    addresses: [...addresses].sort(),
  };
}
