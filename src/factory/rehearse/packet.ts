/** What a frame says, as far as a rehearsal asks: where it goes and how much it carries for a program. */
export type Packet =
  | { readonly kind: 'neighbours' }
  | {
      readonly kind: 'tcp' | 'udp';
      readonly from: string;
      readonly to: string;
      readonly sourcePort: number;
      readonly port: number;
      readonly payload: Buffer;
      /** TCP: the first packet of a connection, from the side that opens it. */
      readonly opens: boolean;
    }
  | { readonly kind: 'other'; readonly from: string; readonly to: string; readonly what: string };

const ETHERNET = { type: 12, bytes: 14, vlanBytes: 4 } as const;
const ETHERTYPE = { ipv4: 0x0800, arp: 0x0806, vlan: 0x8100, ipv6: 0x86dd } as const;
// RFC 791 section 3.1, RFC 8200 section 3.
const IPV4 = { totalBytes: 2, fragment: 6, protocol: 9, source: 12, target: 16, bytes: 20 } as const;
const IPV6 = { payloadBytes: 4, next: 6, source: 8, target: 24, bytes: 40 } as const;
const PROTOCOL: Readonly<Record<number, string>> = {
  1: 'ICMP',
  2: 'IGMP',
  6: 'tcp',
  17: 'udp',
  58: 'ICMPv6',
};
const HOP_BY_HOP = 0;
// RFC 9293 section 3.1, RFC 768.
const TCP = { dataOffset: 12, flags: 13, bytes: 20, syn: 0x02, ack: 0x10 } as const;
const UDP_BYTES = 8;
// RFC 4861 section 4 and RFC 3810 section 5: neighbour and router discovery, who listens to which group.
const NEIGHBOUR_TYPES = [130, 131, 132, 133, 134, 135, 136, 137, 143];

function ipv6Text(bytes: Buffer): string {
  const groups = Array.from({ length: 8 }, (_, index) => bytes.readUInt16BE(index * 2).toString(16));
  return groups.join(':').replace(/(?:^|:)0(?::0)+(?::|$)/, '::');
}

function transport(protocol: number, from: string, to: string, body: Buffer): Packet {
  const name = PROTOCOL[protocol] ?? `IP protocol ${protocol}`;
  const shortest = name === 'tcp' ? TCP.bytes : UDP_BYTES;
  if ((name !== 'tcp' && name !== 'udp') || body.length < shortest) {
    const discovers = name === 'ICMPv6' && NEIGHBOUR_TYPES.includes(body[0] ?? 0);
    return discovers || name === 'IGMP' ? { kind: 'neighbours' } : { kind: 'other', from, to, what: name };
  }
  const flags = name === 'tcp' ? body.readUInt8(TCP.flags) : 0;
  const headerBytes = name === 'tcp' ? (body.readUInt8(TCP.dataOffset) >> 4) * 4 : UDP_BYTES;
  return {
    kind: name,
    from,
    to,
    sourcePort: body.readUInt16BE(0),
    port: body.readUInt16BE(2),
    payload: body.subarray(Math.min(headerBytes, body.length)),
    opens: (flags & TCP.syn) !== 0 && (flags & TCP.ack) === 0,
  };
}

/** Reads a frame; what is cut off or of no known kind is `other`, so that nothing goes unseen. */
export function readPacket(frame: Buffer): Packet {
  let type = frame.length >= ETHERNET.bytes ? frame.readUInt16BE(ETHERNET.type) : -1;
  let at: number = ETHERNET.bytes;
  if (type === ETHERTYPE.vlan && frame.length >= at + ETHERNET.vlanBytes) {
    type = frame.readUInt16BE(at + 2);
    at += ETHERNET.vlanBytes;
  }
  const packet = frame.subarray(at);
  if (type === ETHERTYPE.arp) return { kind: 'neighbours' };
  if (type === ETHERTYPE.ipv4 && packet.length >= IPV4.bytes) {
    const address = (from: number): string => packet.subarray(from, from + 4).join('.');
    const body = packet.subarray((packet.readUInt8(0) & 15) * 4, packet.readUInt16BE(IPV4.totalBytes));
    const isLaterFragment = (packet.readUInt16BE(IPV4.fragment) & 0x1fff) !== 0;
    const [from, to] = [address(IPV4.source), address(IPV4.target)];
    if (isLaterFragment) return { kind: 'other', from, to, what: 'a later fragment' };
    return transport(packet.readUInt8(IPV4.protocol), from, to, body);
  }
  if (type === ETHERTYPE.ipv6 && packet.length >= IPV6.bytes) {
    const address = (from: number): string => ipv6Text(packet.subarray(from, from + 16));
    let body = packet.subarray(IPV6.bytes, IPV6.bytes + packet.readUInt16BE(IPV6.payloadBytes));
    let next = packet.readUInt8(IPV6.next);
    // Multicast listener reports carry this header (RFC 3810 section 5).
    if (next === HOP_BY_HOP && body.length >= 8) {
      next = body.readUInt8(0);
      body = body.subarray((body.readUInt8(1) + 1) * 8);
    }
    return transport(next, address(IPV6.source), address(IPV6.target), body);
  }
  return { kind: 'other', from: '', to: '', what: `a frame of type 0x${Math.max(type, 0).toString(16)}` };
}
