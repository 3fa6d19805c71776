/** ECMA-119 6.1.2: the sector every mastering tool uses, and the only one read here. */
export const SECTOR_BYTES = 2048;

/** ECMA-119 6.2.1: sectors 0 to 15 belong to the system, the descriptors follow. */
export const SYSTEM_AREA_BYTES = 16 * SECTOR_BYTES;

/** ECMA-119 8.1.1: what a volume descriptor is. */
export const DESCRIPTOR_TYPE = { primary: 1, terminator: 255 } as const;

/** ECMA-119 8.1.2: every volume descriptor carries this. */
export const STANDARD_ID = 'CD001';

/** ECMA-119 8.4: byte positions in the primary volume descriptor; numbers are both-endian unless they say so. */
export const DESCRIPTOR = {
  type: 0,
  standardId: 1,
  version: 6,
  systemId: 8,
  volumeId: 40,
  volumeSectors: 80,
  volumeSetSize: 120,
  volumeSequence: 124,
  sectorBytes: 128,
  pathTableBytes: 132,
  pathTableLittleEndian: 140,
  pathTableBigEndian: 148,
  rootRecord: 156,
  texts: 190,
  dates: 813,
  fileStructureVersion: 881,
} as const;

export const IDENTIFIER_BYTES = 32;

/** ECMA-119 9.1: byte positions in a directory record. */
export const RECORD = {
  length: 0,
  attributeSectors: 1,
  extentSector: 2,
  dataBytes: 10,
  flags: 25,
  unitSectors: 26,
  gapSectors: 27,
  volumeSequence: 28,
  nameBytes: 32,
  name: 33,
} as const;

/** ECMA-119 9.1.6: bits of a directory record's flags. */
export const RECORD_FLAG = { directory: 0x02, moreExtents: 0x80 } as const;

/**
 * Makes the ISO level 1 name of one path component: upper case, eight characters, a dot, three characters
 * (ECMA-119 10.1). `igninfo.json` becomes `IGNINFO.JSO`.
 */
export function isoLevel1Name(component: string): string {
  const upper = component.toUpperCase();
  const dot = upper.lastIndexOf('.');
  const clean = (text: string, length: number) => text.replace(/[^A-Z0-9_]/g, '_').slice(0, length);
  if (dot === -1) return clean(upper, 8);
  return `${clean(upper.slice(0, dot), 8)}.${clean(upper.slice(dot + 1), 3)}`;
}
