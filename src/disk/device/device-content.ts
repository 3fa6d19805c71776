import { open } from 'node:fs/promises';
import { hasCode } from '../../errors.ts';
import type { Host } from '../../host/host.ts';
import { CACHE_LABEL } from '../cache/labelled-devices.ts';
import type { DeviceContent, DevicePartition, DeviceSignature } from './block-device.ts';
import { findData } from './find-data.ts';
import { isUnfinishedMark, MARK_BYTES } from './unfinished-mark.ts';

/** Of a cache disk, and of the partition a node keeps its copy on. */
const CACHE_LABELS: readonly string[] = [CACHE_LABEL, `${CACHE_LABEL}-node`];
/** What partx counts in, whatever the disk's own sectors are. */
const TABLE_SECTOR_BYTES = 512;
/** As many as a GPT of the usual size has; a table with more is told, its other partitions are not looked into. */
const MAX_PARTITIONS = 128;

/**
 * Reads what is on a device, from the device itself: kernels do not look for partitions everywhere (loop devices), and
 * remember old tables. Nothing is written. Sources: wipefs for the whole, partx for the table, blkid in each partition.
 * Throws TOOL_MISSING; what else fails is in the answer.
 */
export async function readContent(
  device: string,
  sizeBytes: number,
  host: Pick<Host, 'run'>,
): Promise<DeviceContent> {
  try {
    const own = await readSignatures(device, host);
    const partitions = await readPartitions(device, sizeBytes, host);
    const inside: DeviceSignature[] = [];
    for (const partition of partitions.slice(0, MAX_PARTITIONS))
      inside.push(...(await readPartition(device, partition, host)));
    const signatures = [...own, ...inside];
    if (signatures.length > 0) {
      const cache = cacheLabelled(signatures, partitions);
      return { kind: 'signatures', signatures, partitions, ...(cache === undefined ? {} : { cache }) };
    }
    await using file = await open(device, 'r');
    const head = Buffer.alloc(MARK_BYTES);
    await file.read(head, 0, MARK_BYTES, 0);
    if (isUnfinishedMark(head)) return { kind: 'unfinished' };
    const offset = await findData(file, sizeBytes);
    return offset === undefined ? { kind: 'blank' } : { kind: 'data', offset };
  } catch (error) {
    // A machine without the tools says nothing about the device.
    if (hasCode(error, 'TOOL_MISSING')) throw error;
    return { kind: 'unreadable', reason: error instanceof Error ? error.message : String(error) };
  }
}

function cacheLabelled(
  signatures: readonly DeviceSignature[],
  partitions: readonly DevicePartition[],
): string | undefined {
  for (const { label, partition } of signatures) {
    if (label !== undefined && CACHE_LABELS.includes(label))
      return partition === undefined ? 'the whole device' : `partition ${partition}`;
  }
  const named = partitions.find(({ name }) => CACHE_LABELS.includes(name));
  return named === undefined ? undefined : `partition ${named.number}`;
}

async function readSignatures(device: string, host: Pick<Host, 'run'>): Promise<DeviceSignature[]> {
  const { exitCode, stdout, stderr } = await host.run('wipefs', ['-n', '-J', device]);
  if (exitCode !== 0) throw new Error(stderr.trim() || `wipefs ended with status ${exitCode}`);
  // It prints nothing at all where there is nothing.
  const list =
    stdout.trim() === '' ? [] : ((JSON.parse(stdout) as { signatures?: unknown }).signatures ?? []);
  if (!Array.isArray(list)) throw new Error('wipefs printed no list of signatures');
  return list.map((item: Readonly<Record<string, unknown>>) => {
    const { offset, type, label } = item;
    if (typeof offset !== 'string' || typeof type !== 'string' || !Number.isSafeInteger(Number(offset)))
      throw new Error(`wipefs printed a signature without place or type: ${JSON.stringify(item)}`);
    const text = typeof label === 'string' ? unescapeHex(label) : '';
    return { offset: Number(offset), type, ...(text === '' ? {} : { label: text }) };
  });
}

async function readPartitions(
  device: string,
  sizeBytes: number,
  host: Pick<Host, 'run'>,
): Promise<DevicePartition[]> {
  const { exitCode, stdout } = await host.run('partx', [
    '-P',
    '--bytes',
    '-o',
    'NR,START,SECTORS,NAME',
    device,
  ]);
  // Status 1 is also said of a device without a table; where it had one, wipefs has seen it.
  if (exitCode !== 0) return [];
  const line = /^NR="(\d+)" START="(\d+)" SECTORS="(\d+)" NAME="([^"]*)"$/gm;
  return [...stdout.matchAll(line)].flatMap(([, number, start, sectors, name = '']) => {
    const offset = Number(start) * TABLE_SECTOR_BYTES;
    const length = Number(sectors) * TABLE_SECTOR_BYTES;
    if (!Number.isSafeInteger(offset) || !Number.isSafeInteger(length) || offset >= sizeBytes) return [];
    const fit = Math.min(length, sizeBytes - offset);
    return [{ number: Number(number), offset, sizeBytes: fit, name: unescapeHex(name) }];
  });
}

async function readPartition(
  device: string,
  { number, offset, sizeBytes }: DevicePartition,
  host: Pick<Host, 'run'>,
): Promise<DeviceSignature[]> {
  // An extended partition is a box of one sector for others.
  if (sizeBytes <= 2 * TABLE_SECTOR_BYTES) return [];
  const { exitCode, stdout } = await host.run('blkid', [
    ...['-p', '-O', String(offset), '-S', String(sizeBytes), '-o', 'export'],
    device,
  ]);
  // blkid(8): 2 is nothing found, 8 is several things at once, which is something.
  if (exitCode === 2) return [];
  const tag = (name: string): string | undefined => new RegExp(`^${name}=(.+)$`, 'm').exec(stdout)?.[1];
  const type = tag('TYPE') ?? tag('PTTYPE') ?? (exitCode === 8 ? 'several signatures' : undefined);
  const label = tag('LABEL');
  if (type === undefined) return [];
  return [
    {
      offset,
      type,
      partition: number,
      ...(label === undefined ? {} : { label: label.replace(/\\(.)/g, '$1') }),
    },
  ];
}

/** util-linux writes what a shell would mistake as \xHH, one a byte. */
function unescapeHex(text: string): string {
  return text.replace(/(?:\\x[0-9a-fA-F]{2})+/g, (run) =>
    Buffer.from(run.replaceAll('\\x', ''), 'hex').toString('utf8'),
  );
}
