import { createHash } from 'node:crypto';
import { open, stat } from 'node:fs/promises';
import { gunzipSync, gzipSync } from 'node:zlib';
import { z } from 'zod/v4';
import { EdgefabError, hasCode } from '../../errors.ts';
import { parseCheckedYaml } from '../../formats/checked-yaml.ts';
import type { GptReading } from '../../formats/gpt.ts';
import { GPT_ENTRY, USUAL_ENTRIES_BYTES } from '../../formats/gpt-layout.ts';
import type { Host } from '../../host/host.ts';
import type { BlockDevice } from '../device/block-device.ts';
import { confirmationOf } from '../device/describe-device.ts';
import { readAt } from './partition-table.ts';

const regionSchema = z.strictObject({
  offset: z.number().int().nonnegative(),
  sizeBytes: z.number().int().positive(),
  sha256: z.string().regex(/^[0-9a-f]{64}$/),
  gzip: z.base64(),
});

const backupSchema = z.strictObject({
  apiVersion: z.literal('edgefab.io/v1'),
  kind: z.literal('TableBackup'),
  savedAt: z.string(),
  disk: z.strictObject({
    name: z.string(),
    nameIs: z.enum(['serial', 'by-id name', 'by-path name', 'kernel name and size']),
    sizeBytes: z.number().int().positive(),
    sectorBytes: z.number().int().positive(),
  }),
  regions: z.array(regionSchema).min(1).max(256),
});

type BackupFile = z.infer<typeof backupSchema>;

/** Bytes of a disk, as they were. */
export interface SavedRegion {
  readonly offset: number;
  readonly bytes: Buffer;
}

/** What a disk had where its partition table is written, and which disk that was. */
export interface TableBackup {
  readonly savedAt: string;
  readonly disk: Readonly<BackupFile['disk']>;
  readonly regions: readonly SavedRegion[];
}

// Tables are some 35 KB; what is larger by so much is no backup of ours.
const MAX_FILE_BYTES = 16 * 1024 * 1024;
const MAX_REGION_BYTES = 2 * 1024 * 1024;

/** Around the place of a signature: magic numbers are a few bytes long. */
const SIGNATURE_BYTES = 8192;

/** Lists everything that a new table, and erasing the old signatures, writes over: offset and length in bytes. */
function touchedRegions(
  { sizeBytes, content }: BlockDevice,
  reading: GptReading,
): { readonly offset: number; readonly sizeBytes: number }[] {
  const { sectorBytes } = reading;
  const tableBytes = USUAL_ENTRIES_BYTES + sectorBytes;
  const regions = [
    { offset: 0, sizeBytes: sectorBytes + tableBytes },
    { offset: Math.floor(sizeBytes / sectorBytes) * sectorBytes - tableBytes, sizeBytes: tableBytes },
  ];
  for (const copy of [reading.primary, reading.backup]) {
    if (copy.state !== 'sound') continue;
    const { entriesLba, entryCount, entryBytes } = copy.table;
    // Tables of the usual size are in the regions above.
    if (entryCount * entryBytes <= 128 * GPT_ENTRY.end) continue;
    regions.push({ offset: entriesLba * sectorBytes, sizeBytes: entryCount * entryBytes });
  }
  // Kept apart from the table's own places, which are put back in an order of their own.
  const [head, tail] = regions.map(({ offset, sizeBytes: length }) => [offset, offset + length]);
  const headEnd = head?.[1] ?? 0;
  const tailStart = tail?.[0] ?? sizeBytes;
  for (const { offset, partition } of content.kind === 'signatures' ? content.signatures : []) {
    if (partition !== undefined) continue;
    const from = Math.max(headEnd, Math.floor(offset / 4096) * 4096);
    const to = Math.min(tailStart, from + SIGNATURE_BYTES);
    if (from < to) regions.push({ offset: from, sizeBytes: to - from });
  }
  return regions;
}

/** Saves what a change of the table will write over to a new file, flushed. Throws TARGET_EXISTS. */
export async function saveTable(
  path: string,
  device: BlockDevice,
  reading: GptReading,
  host: Pick<Host, 'now'>,
): Promise<void> {
  const { text: name, what: nameIs } = confirmationOf(device);
  await using disk = await open(device.realPath, 'r');
  const regions: BackupFile['regions'] = [];
  for (const { offset, sizeBytes } of touchedRegions(device, reading)) {
    const bytes = await readAt(disk, offset, sizeBytes);
    regions.push({
      offset,
      sizeBytes: bytes.length,
      sha256: sha256(bytes),
      gzip: gzipSync(bytes).toString('base64'),
    });
  }
  const file: BackupFile = {
    apiVersion: 'edgefab.io/v1',
    kind: 'TableBackup',
    savedAt: host.now().toISOString(),
    disk: { name, nameIs, sizeBytes: device.sizeBytes, sectorBytes: reading.sectorBytes },
    regions,
  };
  try {
    await using out = await open(path, 'wx');
    await out.writeFile(`${JSON.stringify(file, null, 2)}\n`);
    await out.sync();
  } catch (cause) {
    if (!hasCode(cause, 'EEXIST')) throw cause;
    throw new EdgefabError(`${path} is there already: a backup of a partition table is never written over`, {
      code: 'TARGET_EXISTS',
      suggestions: ['Give another file with --backup'],
      place: { file: path },
      cause,
    });
  }
}

/** Loads a file `saveTable` wrote. Throws FILE_UNREADABLE, TABLE_BACKUP_INVALID. */
export async function loadTableBackup(path: string): Promise<TableBackup> {
  const { savedAt, disk, regions } = parseCheckedYaml(await readBounded(path), {
    file: path,
    code: 'TABLE_BACKUP_INVALID',
    schema: backupSchema,
  }).value;
  return { savedAt, disk, regions: regions.map((region) => decodeRegion(path, disk.sizeBytes, region)) };
}

async function readBounded(path: string): Promise<string> {
  let size: number;
  try {
    size = (await stat(path)).size;
    if (size <= MAX_FILE_BYTES) {
      await using file = await open(path, 'r');
      return (await readAt(file, 0, size)).toString('utf8');
    }
  } catch (cause) {
    throw new EdgefabError(`cannot read ${path}`, { code: 'FILE_UNREADABLE', place: { file: path }, cause });
  }
  throw invalid(path, `it has ${size} bytes, want at most ${MAX_FILE_BYTES}`);
}

function decodeRegion(path: string, diskBytes: number, region: z.infer<typeof regionSchema>): SavedRegion {
  const { offset, sizeBytes } = region;
  const name = `the part at offset ${offset}`;
  if (sizeBytes > MAX_REGION_BYTES || offset + sizeBytes > diskBytes) {
    throw invalid(path, `${name} has ${sizeBytes} bytes, want at most ${MAX_REGION_BYTES} within the disk`);
  }
  let bytes: Buffer;
  try {
    bytes = gunzipSync(Buffer.from(region.gzip, 'base64'), { maxOutputLength: sizeBytes });
  } catch (cause) {
    throw invalid(path, `${name} does not unpack`, cause);
  }
  if (bytes.length !== sizeBytes || sha256(bytes) !== region.sha256) {
    throw invalid(path, `${name} has another checksum than the file says`);
  }
  return { offset, bytes };
}

function sha256(bytes: Buffer): string {
  return createHash('sha256').update(bytes).digest('hex');
}

function invalid(path: string, problem: string, cause?: unknown): EdgefabError {
  return new EdgefabError(`${path} is no backup of a partition table: ${problem}`, {
    code: 'TABLE_BACKUP_INVALID',
    suggestions: ['Use the file that edgefab partition named when it changed this disk'],
    place: { file: path },
    cause,
  });
}
