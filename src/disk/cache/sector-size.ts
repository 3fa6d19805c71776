import { readFile, stat } from 'node:fs/promises';

/** What every disk had before 4K-native ones; also the answer where the kernel does not tell. */
const USUAL_SECTOR_BYTES = 512;

/**
 * Reads the logical sector size, in bytes, of the disk that holds a folder, from sysfs
 * (Documentation/ABI/stable/sysfs-block). A partition has no queue of its own; its disk's is one up.
 */
export async function sectorBytes(folder: string): Promise<number> {
  const { dev } = await stat(folder, { bigint: true });
  const major = (dev >> 8n) & 0xfffn;
  const minor = (dev & 0xffn) | ((dev >> 12n) & 0xfff00n);
  const block = `/sys/dev/block/${major}:${minor}`;
  for (const path of [`${block}/queue/logical_block_size`, `${block}/../queue/logical_block_size`]) {
    const size = Number(await readFile(path, 'utf8').catch(() => ''));
    if (Number.isSafeInteger(size) && size >= 512) return size;
  }
  return USUAL_SECTOR_BYTES;
}
