/** One value of a DER text: what stands under the tag, and the whole with tag and length. */
export interface DerValue {
  readonly tag: number;
  readonly content: Uint8Array;
  readonly whole: Uint8Array;
}

/**
 * Splits bytes into the DER values they consist of (X.690 section 8.1: one-byte tags, definite lengths of at
 * most 4 bytes, which is all a certificate has). Undefined when they are anything else.
 */
export function readDer(bytes: Uint8Array): DerValue[] | undefined {
  const values: DerValue[] = [];
  let at = 0;
  while (at < bytes.length) {
    const start = at;
    const tag = bytes[at] ?? 0;
    let length = bytes[at + 1];
    at += 2;
    if (length === undefined || (tag & 0x1f) === 0x1f) return undefined;
    if (length >= 0x80) {
      const count = length & 0x7f;
      if (count === 0 || count > 4 || at + count > bytes.length) return undefined;
      length = Buffer.from(bytes.buffer, bytes.byteOffset + at, count).readUIntBE(0, count);
      at += count;
    }
    if (at + length > bytes.length) return undefined;
    const end = at + length;
    values.push({ tag, content: bytes.subarray(at, end), whole: bytes.subarray(start, end) });
    at = end;
  }
  return values;
}

/** Reads the content of an object identifier as dotted text (X.690 section 8.19); at most its first 64 bytes. */
export function readObjectIdentifier(content: Uint8Array): string {
  const arcs: bigint[] = [];
  let arc = 0n;
  for (const byte of content.subarray(0, 64)) {
    arc = arc * 128n + BigInt(byte & 0x7f);
    if (byte >= 0x80) continue;
    arcs.push(arc);
    arc = 0n;
  }
  const [both = 0n, ...rest] = arcs;
  const first = both < 80n ? both / 40n : 2n;
  return [first, both - first * 40n, ...rest].join('.');
}
