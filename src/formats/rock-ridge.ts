// SUSP 1.12, 4.1: each entry in a record's system use field is a two-letter signature, its length, a version, data.
const ENTRY = { signature: 0, length: 2, version: 3, data: 4 } as const;
// RRIP 1.12, 4.1.4: the alternate name; a flags byte comes first, whose lowest bit says that another part follows.
const NAME_SIGNATURE = 'NM';
const NAME_FLAG = { continues: 0x01, special: 0x06 } as const;
// XSI: names have at most 255 bytes; a name that goes on in a continuation area is left to its ISO name.
const MAX_NAME_BYTES = 255;

/** A name that can be one component of a path, and be shown: no separator, no control character, not `.` or `..`. */
function isPlainName(name: string): boolean {
  return name !== '' && name !== '.' && name !== '..' && !/[/\p{Cc}\ufffd]/u.test(name);
}

/**
 * Reads the name a Rock Ridge image gives a file (RRIP 1.12, 4.1.4) from the system use field of its directory
 * record; undefined when there is none that can be used.
 */
export function rockRidgeName(systemUse: Buffer): string | undefined {
  const parts: Buffer[] = [];
  let at = 0;
  while (at + ENTRY.data <= systemUse.length) {
    const length = systemUse[at + ENTRY.length] ?? 0;
    if (length < ENTRY.data || at + length > systemUse.length) break;
    if (systemUse.toString('latin1', at, at + ENTRY.length) === NAME_SIGNATURE && length > ENTRY.data) {
      const flags = systemUse[at + ENTRY.data] ?? 0;
      if ((flags & NAME_FLAG.special) !== 0) return undefined;
      parts.push(systemUse.subarray(at + ENTRY.data + 1, at + length));
      if ((flags & NAME_FLAG.continues) === 0) {
        const bytes = Buffer.concat(parts);
        const name = bytes.toString('utf8');
        return bytes.length <= MAX_NAME_BYTES && isPlainName(name) ? name : undefined;
      }
    }
    at += length;
  }
  return undefined;
}
