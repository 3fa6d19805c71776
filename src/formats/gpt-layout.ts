/** UEFI specification 5.3.2: the text every header begins with. */
export const GPT_SIGNATURE = 'EFI PART';

/** UEFI specification 5.3.2, table 5.5: byte positions in a header; numbers are little-endian. */
export const GPT_HEADER = {
  signature: 0,
  revision: 8,
  headerBytes: 12,
  headerCrc: 16,
  myLba: 24,
  alternateLba: 32,
  firstUsableLba: 40,
  lastUsableLba: 48,
  diskGuid: 56,
  entriesLba: 72,
  entryCount: 80,
  entryBytes: 84,
  entriesCrc: 88,
  end: 92,
} as const;

/** UEFI specification 5.3.3, table 5.6: byte positions in an entry. */
export const GPT_ENTRY = {
  type: 0,
  guid: 16,
  firstLba: 32,
  lastLba: 40,
  attributes: 48,
  name: 56,
  end: 128,
} as const;

/** UEFI specification 5.3.1: what every table written today has, and what room the usable range leaves it. */
export const USUAL_ENTRIES_BYTES = 128 * GPT_ENTRY.end;

/** UEFI specification 5.2.1, table 5.1: byte positions in the master boot record, and in one of its four records. */
export const MBR = { records: 446, recordBytes: 16, recordCount: 4, signature: 510, end: 512 } as const;
export const MBR_RECORD = { type: 4, firstLba: 8 } as const;

/** UEFI specification 5.2.1: the last two bytes of a boot record, read little-endian. */
export const MBR_SIGNATURE = 0xaa55;

/** UEFI specification 5.2.2: the partition type that covers a GPT, so that old programs keep off it. */
export const PROTECTIVE_TYPE = 0xee;

/** UEFI specification 5.3.3, table 5.7: an entry nobody uses. */
export const UNUSED_TYPE = '00000000-0000-0000-0000-000000000000';
