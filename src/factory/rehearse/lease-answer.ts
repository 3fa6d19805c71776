import { addressBytes } from './frames.ts';

/** What a machine that asks for an address is given; dotted. */
export interface Lease {
  readonly address: string;
  readonly netmask: string;
  readonly router: string;
  readonly dns: readonly string[];
}

// RFC 2131 section 2, RFC 2132.
const MAGIC_AT = 236;
const MAGIC = 0x63825363;
const OPTION = { netmask: 1, router: 3, dns: 6, leaseSeconds: 51, type: 53, server: 54, end: 255 } as const;
const MESSAGE = { discover: 1, offer: 2, request: 3, ack: 5 } as const;
const LEASE_SECONDS = 86_400;

function messageType(message: Buffer): number | undefined {
  for (let at = MAGIC_AT + 4; at + 2 < message.length; ) {
    const code = message[at];
    if (code === OPTION.end) return undefined;
    if (code === OPTION.type) return message[at + 2];
    at += code === 0 ? 1 : 2 + (message[at + 1] ?? 0);
  }
  return undefined;
}

/** Answers a DHCP message with a lease; undefined for what is no question for one. */
export function answerLease(message: Buffer, { address, netmask, router, dns }: Lease): Buffer | undefined {
  if (message.length < MAGIC_AT + 4 || message.readUInt32BE(MAGIC_AT) !== MAGIC || message[0] !== 1)
    return undefined;
  const asked = messageType(message);
  if (asked !== MESSAGE.discover && asked !== MESSAGE.request) return undefined;
  const head = Buffer.from(message.subarray(0, MAGIC_AT + 4));
  head.writeUInt8(2, 0);
  addressBytes(address).copy(head, 16);
  addressBytes(router).copy(head, 20);
  const seconds = Buffer.alloc(4);
  seconds.writeUInt32BE(LEASE_SECONDS);
  const option = (code: number, value: Buffer): Buffer =>
    Buffer.concat([Buffer.from([code, value.length]), value]);
  return Buffer.concat([
    head,
    option(OPTION.type, Buffer.from([asked === MESSAGE.discover ? MESSAGE.offer : MESSAGE.ack])),
    option(OPTION.server, addressBytes(router)),
    option(OPTION.leaseSeconds, seconds),
    option(OPTION.netmask, addressBytes(netmask)),
    option(OPTION.router, addressBytes(router)),
    ...(dns.length === 0 ? [] : [option(OPTION.dns, Buffer.concat(dns.map(addressBytes)))]),
    Buffer.from([OPTION.end]),
  ]);
}
