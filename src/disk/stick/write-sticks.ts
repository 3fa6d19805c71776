import { EdgefabError, hasCode } from '../../errors.ts';
import type { Host } from '../../host/host.ts';
import { assertSameContent } from '../device/assert-same-content.ts';
import { refuseDevices } from '../device/refuse-device.ts';
import { type BootImage, hashBootImage, type ImageDigests } from './boot-image.ts';
import type { PlannedStick } from './plan-sticks.ts';
import { openStickFile, type StickFile } from './stick-file.ts';
import { STICK_MEMORY_BYTES, type StickPhase, type WriteStickOptions, writeStick } from './write-stick.ts';

/** How far one stick is, and how far all are together in `bytes` more. */
export interface StickStep {
  readonly device: string;
  readonly phase: StickPhase;
  readonly doneBytes: number;
  readonly totalBytes: number;
  readonly bytes: number;
}

/** What became of one stick. */
export type StickResult = PlannedStick & { readonly sha256: string } & (
    | { readonly state: 'written'; readonly writtenAt: string }
    /** Its beginning is a mark that does not boot; written again, it is as good as any. */
    | { readonly state: 'unfinished'; readonly error: unknown }
    /** Nothing was written to it. */
    | { readonly state: 'untouched'; readonly error: unknown }
  );

export interface WriteSticksOptions extends Pick<WriteStickOptions, 'signal'> {
  readonly onStep?: (step: StickStep) => void;
  /** Checks an image's SHA-256 against what is known of it, before anything is written. */
  readonly onHashed?: (image: BootImage, sha256: string) => Promise<void>;
  readonly beforeReadBack?: (stick: PlannedStick) => Promise<void>;
  /** False goes through the page cache. */
  readonly direct?: boolean;
}

/**
 * Writes all sticks at once, each on its own: one that fails stops no other. Refuses before the first byte is written to
 * any (DEVICE_REFUSED). Resolves to what became of each, in the order given, also when it was interrupted.
 */
export async function writeSticks(
  sticks: readonly PlannedStick[],
  options: WriteSticksOptions,
  host: Pick<Host, 'run' | 'now'>,
): Promise<StickResult[]> {
  refuseDevices(sticks);
  const digests = new Map<BootImage, ImageDigests>();
  for (const { image } of sticks) {
    if (digests.has(image)) continue;
    const hashed = await hashBootImage(image, options.signal);
    await options.onHashed?.(image, hashed.sha256);
    digests.set(image, hashed);
  }
  return await Promise.all(
    sticks.map(async (stick): Promise<StickResult> => {
      const hashed = digests.get(stick.image) ?? { sha256: '', blocks: [] };
      const common = { ...stick, sha256: hashed.sha256 };
      let file: StickFile;
      try {
        options.signal?.throwIfAborted();
        file = await openStickFile(
          stick.device,
          {
            memoryBytes: STICK_MEMORY_BYTES,
            ...(options.direct === undefined ? {} : { direct: options.direct }),
          },
          host,
        );
      } catch (error) {
        return { ...common, state: 'untouched', error };
      }
      try {
        await assertSameContent(stick.device, host);
      } catch (error) {
        await file.close();
        return { ...common, state: 'untouched', error };
      }
      try {
        await writeStick(stick.device, file, stick.image, hashed, oneStick(stick, options));
        return { ...common, state: 'written', writtenAt: host.now().toISOString() };
      } catch (error) {
        return { ...common, state: 'unfinished', error };
      } finally {
        await file.close().catch(() => undefined);
      }
    }),
  );
}

function oneStick(stick: PlannedStick, options: WriteSticksOptions): WriteStickOptions {
  const { signal, onStep, beforeReadBack } = options;
  const done = { write: 0, check: 0 };
  return {
    ...(signal === undefined ? {} : { signal }),
    ...(beforeReadBack === undefined ? {} : { beforeReadBack: () => beforeReadBack(stick) }),
    onBytes: (phase, bytes) => {
      done[phase] += bytes;
      const totalBytes = stick.image.sizeBytes;
      onStep?.({ device: stick.device.name, phase, doneBytes: done[phase], totalBytes, bytes });
    },
  };
}

/**
 * Makes the error of a run in which not every stick was written: of a single stick its own, of several one that names
 * each. Undefined when all were.
 */
export function sticksError(results: readonly StickResult[]): unknown {
  const failed = results.flatMap((result) => (result.state === 'written' ? [] : [result]));
  const [first] = failed;
  if (first === undefined) return undefined;
  if (results.length === 1) return first.error;
  const lines = failed.map(({ device, state, error }) => ({
    place: { file: device.path },
    message: `${device.path}: ${state}, ${state === 'untouched' ? 'nothing was written to it' : 'it does not boot'}: ${error instanceof Error ? error.message : String(error)}`,
  }));
  return new EdgefabError(
    `${failed.length} of ${results.length} sticks failed, the others are written and read back:\n${lines.map(({ message }) => `  ${message}`).join('\n')}`,
    {
      code: 'STICKS_FAILED',
      suggestions: [
        ...new Set(failed.flatMap(({ error }) => (error instanceof EdgefabError ? error.suggestions : []))),
        'Run the same command with only these devices',
      ],
      faults: lines,
      cause: hasCode(first.error, 'ABORT_ERR') ? undefined : first.error,
    },
  );
}
