/** One sector of the smallest kind, so that it is written whole or not at all. */
export const MARK_BYTES = 512;

const TEXT = 'edgefab: this boot stick is not finished. Write it again: edgefab iso write\n';

/**
 * Makes the first sector of a stick while it is written: words for whoever looks, no boot code, no signature, so that
 * no machine boots a half-written stick and the next run knows whose it is.
 */
export function unfinishedMark(): Buffer {
  const sector = Buffer.alloc(MARK_BYTES);
  sector.write(TEXT, 'latin1');
  return sector;
}

/** Tells whether a device's first sector is that mark. */
export function isUnfinishedMark(sector: Uint8Array): boolean {
  return unfinishedMark().equals(sector.subarray(0, MARK_BYTES));
}
