import { refuseUnfinished } from '../boot/iso/iso-source.ts';
import { confirmationOf } from '../disk/device/describe-device.ts';
import { refuseDevices } from '../disk/device/refuse-device.ts';
import { type BootImage, openBootImage } from '../disk/stick/boot-image.ts';
import { consented, type PlannedStick, planSticks, type StickConsent } from '../disk/stick/plan-sticks.ts';
import { type StickResult, type WriteSticksOptions, writeSticks } from '../disk/stick/write-sticks.ts';
import { EdgefabError } from '../errors.ts';
import type { Host } from '../host/host.ts';
import { appendSticks, assertReceipt, type StickEntry } from './receipt/append-sticks.ts';

export interface MakeSticksOptions extends Omit<WriteSticksOptions, 'onHashed'> {
  readonly consent: StickConsent;
  readonly isDryRun?: boolean;
  /** Asks a person; called when nothing but consent can be missing. */
  readonly confirm?: (sticks: readonly PlannedStick[]) => Promise<readonly PlannedStick[]>;
  /** Tells what will be done; `totalBytes` are written once and read once. */
  readonly onPlan?: (sticks: readonly PlannedStick[], totalBytes: number) => void;
}

export interface MadeSticks {
  readonly results: readonly StickResult[];
  /** The receipts that were added to. */
  readonly receipts: readonly string[];
}

/**
 * Makes boot sticks of ISOs, all at once, and adds those that were read back to the receipts beside the ISOs. Refuses
 * before the first byte is written to any. Throws DEVICE_REFUSED, DEVICE_UNKNOWN, USAGE_INVALID, FILE_UNREADABLE,
 * ISO_INVALID; what befalls a single stick is in its result. A dry run has no results.
 */
export async function makeSticks(
  pairs: readonly { readonly path: string; readonly iso: string }[],
  options: MakeSticksOptions,
  host: Pick<Host, 'run' | 'now' | 'sleep'>,
): Promise<MadeSticks> {
  const images = new Map<string, BootImage>();
  try {
    for (const { iso } of pairs) {
      if (images.has(iso)) continue;
      await refuseUnfinished(iso);
      images.set(iso, await openBootImage(iso));
    }
    const planned = await planSticks(
      pairs.flatMap(({ path, iso }) => {
        const image = images.get(iso);
        return image === undefined ? [] : [{ path, image }];
      }),
      options.consent,
      host,
    );
    const { isDryRun = false, confirm, onPlan } = options;
    const asks = isDryRun || confirm !== undefined;
    refuseDevices(
      asks ? planned.map((stick) => consented(stick, [confirmationOf(stick.device).text])) : planned,
    );
    const sticks = isDryRun || confirm === undefined ? planned : await confirm(planned);
    if (!isDryRun) refuseDevices(sticks);
    onPlan?.(
      sticks,
      sticks.reduce((sum, { image }) => sum + 2 * image.sizeBytes, 0),
    );
    if (isDryRun) return { results: [], receipts: [] };
    const results = await writeSticks(
      sticks,
      { ...options, onHashed: (image, sha256) => assertReceipt(image.path, sha256) },
      host,
    );
    return { results, receipts: await keepReceipts(results, host) };
  } finally {
    for (const { file } of images.values()) await file.close();
  }
}

async function keepReceipts(results: readonly StickResult[], host: Pick<Host, 'sleep'>): Promise<string[]> {
  const entries = new Map<string, StickEntry[]>();
  for (const result of results) {
    if (result.state !== 'written') continue;
    const { device, image, sha256, writtenAt } = result;
    const entry: StickEntry = {
      serial: device.serial ?? null,
      model: device.model ?? null,
      byId: device.byId[0] ?? null,
      sizeBytes: device.sizeBytes,
      isoSha256: sha256,
      writtenAt,
      readBack: 'equal',
    };
    entries.set(image.path, [...(entries.get(image.path) ?? []), entry]);
  }
  const receipts: string[] = [];
  for (const [iso, sticks] of entries) {
    const receipt = await appendSticks(iso, sticks, host).catch((cause: unknown) => {
      throw new EdgefabError(
        `${sticks.length} sticks of ${iso} are written and read back equal, but its receipt was not kept: ${cause instanceof Error ? cause.message : String(cause)}`,
        {
          code: cause instanceof EdgefabError ? cause.code : 'DISK_FAILED',
          suggestions: ['The sticks are good; see that the folder of the ISO can be written to'],
          place: { file: iso },
          cause,
        },
      );
    });
    if (receipt !== undefined) receipts.push(receipt);
  }
  return receipts;
}
