import { EdgefabError } from '../../errors.ts';
import type { GptReading } from '../../formats/gpt.ts';
import type { GptPartition } from '../../formats/gpt-copy.ts';
import type { Host } from '../../host/host.ts';
import type { BlockDevice } from '../device/block-device.ts';
import { confirmationOf } from '../device/describe-device.ts';
import { type DeviceWant, deviceDangers } from '../device/device-dangers.ts';
import { inspectDevice } from '../device/inspect-device.ts';
import { MACHINE_ROOTS, type MachineRoots } from '../device/machine-roots.ts';
import { openDevice } from '../device/open-device.ts';
import { refuseDevice } from '../device/refuse-device.ts';
import { readTable } from './partition-table.ts';

/** A partition before or after a change. */
export type PartitionRow = Pick<GptPartition, 'number' | 'name' | 'firstLba' | 'lastLba'>;

/** What is about to be done to a disk. */
export interface PartitionPlan {
  /** `format`: the table is as wanted already; `none`: all of it is. */
  readonly action: 'create' | 'format' | 'none' | 'delete' | 'restore';
  readonly device: BlockDevice;
  readonly sectorBytes: number;
  readonly before: readonly PartitionRow[];
  readonly after: readonly PartitionRow[];
  /** What the person should know before they agree. */
  readonly notes: readonly string[];
  /** Where the old table is saved; undefined when no table is written. */
  readonly backupFile?: string;
}

/** What somebody agreed to, and where things are. */
export interface PartitionOptions {
  readonly consent: Pick<DeviceWant, 'yes' | 'wipe' | 'confirmed'>;
  /** Asks a person what the disk is called, which is consent to all that is planned; without it `consent` is all there is. */
  readonly ask?: (device: BlockDevice) => Promise<string>;
  readonly dryRun: boolean;
  readonly backupFile: string;
  /** Told once, before the first byte is written. */
  readonly onPlan?: (plan: PartitionPlan) => void;
  readonly roots?: Partial<MachineRoots>;
}

/** A disk that was looked at, and its table. */
export interface InspectedDisk {
  readonly device: BlockDevice;
  readonly reading: GptReading;
  readonly roots: MachineRoots;
}

/** Looks at a disk and its partition table. Throws DEVICE_UNKNOWN, DEVICE_REFUSED, TOOL_MISSING. */
export async function inspectDisk(
  path: string,
  options: Pick<PartitionOptions, 'roots'>,
  host: Pick<Host, 'run'>,
): Promise<InspectedDisk> {
  const roots = { ...MACHINE_ROOTS, ...options.roots };
  const device = await inspectDevice(path, host, { roots });
  try {
    return { device, reading: await readTable(device), roots };
  } catch (cause) {
    // With the reasons it has.
    refuseDevice(device, {
      ...{ purpose: 'to change its partitions', neededBytes: 0, content: 'kept' },
      ...{ yes: true, wipe: true, confirmed: [] },
    });
    throw cause;
  }
}

/** What is wanted of the disk, but for consent. */
export type ChangeWant = Pick<DeviceWant, 'purpose' | 'neededBytes' | 'content'>;

/** Says, for a dry run, why the change would be refused as things are. */
export function dryRunNotes(
  device: BlockDevice,
  want: ChangeWant,
  { consent, dryRun }: Pick<PartitionOptions, 'consent' | 'dryRun'>,
): string[] {
  if (!dryRun) return [];
  return deviceDangers(device, { ...want, ...consent }).map(
    ({ message, suggestion }) => `as it stands this is refused: ${message}. ${suggestion}`,
  );
}

/** What was agreed to; a person is asked about a disk only when nothing else stands in the way. Throws DEVICE_REFUSED. */
async function consentTo(
  device: BlockDevice,
  want: ChangeWant,
  { consent, ask }: Pick<PartitionOptions, 'consent' | 'ask'>,
): Promise<PartitionOptions['consent']> {
  if (ask === undefined) return consent;
  const { text } = confirmationOf(device);
  const whole = { yes: true, wipe: true, confirmed: [text] };
  refuseDevice(device, { ...want, ...whole });
  const answer = await ask(device);
  return answer === text ? whole : { ...consent, yes: false, confirmed: answer === '' ? [] : [answer] };
}

/** Refuses a disk that must not be changed, then makes sure it is nobody else's and still the same one. */
export async function assertMayChange(
  { device, roots }: InspectedDisk,
  want: ChangeWant,
  options: Pick<PartitionOptions, 'consent' | 'ask'>,
  suggestions: readonly string[] = [],
): Promise<void> {
  try {
    refuseDevice(device, { ...want, ...(await consentTo(device, want, options)) });
  } catch (error) {
    if (!(error instanceof EdgefabError) || suggestions.length === 0) throw error;
    const { message, code, place, faults, cause } = error;
    throw new EdgefabError(message, {
      ...{ code, place, faults, cause },
      suggestions: [...suggestions, ...error.suggestions],
    });
  }
  // Closed again at once: who holds a disk alone keeps sgdisk from telling the kernel.
  const { file } = await openDevice(device, { roots });
  await file.close();
}
