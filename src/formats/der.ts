// Distinguished encoding rules, ITU-T X.690: what certificates are made of. Each function gives whole TLVs.

const UNIVERSAL = {
  boolean: 0x01,
  integer: 0x02,
  bitString: 0x03,
  octetString: 0x04,
  objectIdentifier: 0x06,
  utf8String: 0x0c,
  utcTime: 0x17,
  generalizedTime: 0x18,
  sequence: 0x30,
  set: 0x31,
} as const;

/** Encodes one value under a tag, with a definite length (X.690 section 8.1.3, shortest form as 10.1 wants). */
export function derTlv(tag: number, content: Uint8Array): Uint8Array {
  if (content.length < 0x80) return Buffer.concat([Buffer.of(tag, content.length), content]);
  const digits = content.length.toString(16);
  const length = Buffer.from(digits.padStart(digits.length + (digits.length % 2), '0'), 'hex');
  return Buffer.concat([Buffer.of(tag, 0x80 | length.length), length, content]);
}

/** Encodes TRUE or FALSE. */
export function derBoolean(value: boolean): Uint8Array {
  return derTlv(UNIVERSAL.boolean, Buffer.of(value ? 0xff : 0x00));
}

/** Encodes a number that is not negative, given as big-endian bytes, in the shortest form (section 8.3). */
export function derUnsigned(bytes: Uint8Array): Uint8Array {
  let start = 0;
  while (start < bytes.length - 1 && bytes[start] === 0) start++;
  const digits = bytes.subarray(start);
  const sign = digits.length === 0 || (digits[0] ?? 0) >= 0x80 ? [0] : [];
  return derTlv(UNIVERSAL.integer, Buffer.from([...sign, ...digits]));
}

/** Encodes bytes. */
export function derOctetString(bytes: Uint8Array): Uint8Array {
  return derTlv(UNIVERSAL.octetString, bytes);
}

/** Encodes bits; `unusedBits` of the last byte do not count (section 8.6.2). */
export function derBitString(bytes: Uint8Array, unusedBits = 0): Uint8Array {
  return derTlv(UNIVERSAL.bitString, Buffer.concat([Buffer.of(unusedBits), bytes]));
}

/** Encodes a dotted object identifier: the first two arcs share a byte, each further one is base 128 (section 8.19). */
export function derObjectIdentifier(dotted: string): Uint8Array {
  const [first = 0, second = 0, ...rest] = dotted.split('.').map(Number);
  const bytes = [first * 40 + second, ...rest].flatMap((arc) => {
    const groups = [arc & 0x7f];
    for (let left = Math.floor(arc / 128); left > 0; left = Math.floor(left / 128))
      groups.unshift((left & 0x7f) | 0x80);
    return groups;
  });
  return derTlv(UNIVERSAL.objectIdentifier, Buffer.from(bytes));
}

/** Encodes text as UTF8String. */
export function derUtf8String(text: string): Uint8Array {
  return derTlv(UNIVERSAL.utf8String, Buffer.from(text, 'utf8'));
}

/**
 * Encodes a time of a certificate's validity, whole seconds in UTC: UTCTime up to the end of 2049,
 * GeneralizedTime from 2050 on (RFC 5280 section 4.1.2.5).
 */
export function derTime(time: Date): Uint8Array {
  const text = `${time.toISOString().slice(0, 19).replace(/[-:T]/g, '')}Z`;
  const year = time.getUTCFullYear();
  if (year >= 1950 && year < 2050) return derTlv(UNIVERSAL.utcTime, Buffer.from(text.slice(2), 'latin1'));
  return derTlv(UNIVERSAL.generalizedTime, Buffer.from(text, 'latin1'));
}

/** Encodes values one after another. */
export function derSequence(...items: readonly Uint8Array[]): Uint8Array {
  return derTlv(UNIVERSAL.sequence, Buffer.concat(items));
}

/** Encodes a set; it is in the right order (section 11.6) as long as it has one item. */
export function derSetOfOne(item: Uint8Array): Uint8Array {
  return derTlv(UNIVERSAL.set, item);
}

/** Encodes a context-specific value, primitive (an implicit string) or constructed (explicit, or a sequence). */
export function derContext(
  number: number,
  content: Uint8Array,
  form: 'primitive' | 'constructed',
): Uint8Array {
  return derTlv(0x80 | (form === 'constructed' ? 0x20 : 0) | number, content);
}
