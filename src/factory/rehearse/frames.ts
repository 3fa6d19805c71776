/** Where a frame came from, so that an answer can go back there. */
export interface Link {
  /** 6 bytes each. */
  readonly from: Buffer;
  readonly to: Buffer;
  /** The tag of a VLAN (IEEE 802.1Q), 4 bytes or none. */
  readonly tag: Buffer;
}

export const ETHERTYPE = { ipv4: 0x0800, arp: 0x0806, vlan: 0x8100 } as const;
export const PROTOCOL = { icmp: 1, udp: 17 } as const;
const MAC_BYTES = 6;
const IPV4_BYTES = 20;
const TIME_TO_LIVE = 64;
const UDP_BYTES = 8;

/** An IPv4 packet without options, as far as it is answered here. */
export interface Ipv4 {
  /** Dotted. */
  readonly from: string;
  readonly to: string;
  readonly protocol: number;
  readonly body: Buffer;
  /** The whole packet, header first. */
  readonly bytes: Buffer;
}

/** Takes a frame apart (IEEE 802.3); undefined where it is too short. */
export function readFrame(frame: Buffer): { link: Link; type: number; body: Buffer } | undefined {
  const header = 2 * MAC_BYTES + 2;
  if (frame.length < header) return undefined;
  const isTagged = frame.readUInt16BE(2 * MAC_BYTES) === ETHERTYPE.vlan;
  const start = isTagged ? header + 4 : header;
  if (frame.length < start) return undefined;
  return {
    link: {
      to: frame.subarray(0, MAC_BYTES),
      from: frame.subarray(MAC_BYTES, 2 * MAC_BYTES),
      tag: isTagged ? frame.subarray(2 * MAC_BYTES, 2 * MAC_BYTES + 4) : Buffer.alloc(0),
    },
    type: frame.readUInt16BE(start - 2),
    body: frame.subarray(start),
  };
}

/** Makes a frame that goes back over a link, from this station. */
export function frameBack({ from, tag }: Link, station: Buffer, type: number, body: Buffer): Buffer {
  const ethertype = Buffer.alloc(2);
  ethertype.writeUInt16BE(type);
  return Buffer.concat([from, station, tag, ethertype, body]);
}

/** Takes an IPv4 packet apart (RFC 791 section 3.1); undefined where it is none, or a fragment. */
export function readIpv4(bytes: Buffer): Ipv4 | undefined {
  if (bytes.length < IPV4_BYTES || bytes.readUInt8(0) >> 4 !== 4) return undefined;
  if ((bytes.readUInt16BE(6) & 0x3fff) !== 0) return undefined;
  const headerBytes = (bytes.readUInt8(0) & 15) * 4;
  const totalBytes = bytes.readUInt16BE(2);
  if (headerBytes < IPV4_BYTES || totalBytes < headerBytes || totalBytes > bytes.length) return undefined;
  return {
    from: bytes.subarray(12, 16).join('.'),
    to: bytes.subarray(16, 20).join('.'),
    protocol: bytes.readUInt8(9),
    body: bytes.subarray(headerBytes, totalBytes),
    bytes: bytes.subarray(0, totalBytes),
  };
}

/** Gives the four bytes of a dotted address. */
export function addressBytes(dotted: string): Buffer {
  return Buffer.from(dotted.split('.').map(Number));
}

/** The Internet checksum (RFC 1071). */
function checksum(...parts: readonly Buffer[]): number {
  const bytes = Buffer.concat(parts);
  let sum = 0;
  for (let at = 0; at < bytes.length; at += 2)
    sum += at + 1 < bytes.length ? bytes.readUInt16BE(at) : bytes.readUInt8(at) << 8;
  while (sum > 0xffff) sum = (sum & 0xffff) + (sum >> 16);
  return ~sum & 0xffff;
}

/** Makes an IPv4 packet. */
function makeIpv4({ from, to, protocol, body }: Omit<Ipv4, 'bytes'>): Buffer {
  const header = Buffer.alloc(IPV4_BYTES);
  header.writeUInt8(0x45, 0);
  header.writeUInt16BE(IPV4_BYTES + body.length, 2);
  header.writeUInt8(TIME_TO_LIVE, 8);
  header.writeUInt8(protocol, 9);
  addressBytes(from).copy(header, 12);
  addressBytes(to).copy(header, 16);
  header.writeUInt16BE(checksum(header), 10);
  return Buffer.concat([header, body]);
}

/** Makes a UDP packet in IPv4 (RFC 768). */
export function makeUdp(
  way: { readonly from: string; readonly sourcePort: number; readonly to: string; readonly port: number },
  payload: Buffer,
): Buffer {
  const header = Buffer.alloc(UDP_BYTES);
  header.writeUInt16BE(way.sourcePort, 0);
  header.writeUInt16BE(way.port, 2);
  header.writeUInt16BE(UDP_BYTES + payload.length, 4);
  const pseudo = Buffer.concat([
    addressBytes(way.from),
    addressBytes(way.to),
    Buffer.from([0, PROTOCOL.udp]),
    header.subarray(4, 6),
  ]);
  // Zero means that there is none.
  header.writeUInt16BE(checksum(pseudo, header, payload) || 0xffff, 6);
  const { from, to } = way;
  return makeIpv4({ from, to, protocol: PROTOCOL.udp, body: Buffer.concat([header, payload]) });
}

/** Makes an ICMP message (RFC 792): type, code, and what follows the checksum. */
export function makeIcmp(way: Pick<Ipv4, 'from' | 'to'>, type: number, code: number, rest: Buffer): Buffer {
  const body = Buffer.concat([Buffer.from([type, code, 0, 0]), rest]);
  body.writeUInt16BE(checksum(body), 2);
  return makeIpv4({ ...way, protocol: PROTOCOL.icmp, body });
}
