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
