import { EdgefabError } from '../../errors.ts';
import type { EmbedBudget } from './compress-initrd.ts';
import { type EmbedShare, embedShares } from './embed-shares.ts';

/** An archive that is larger than the area of the ISO at `path`. */
export interface Overfull extends EmbedBudget {
  readonly path: string;
  readonly areaBytes: number;
  readonly files: ReadonlyMap<string, Uint8Array>;
  /** Why xz was not tried. */
  readonly xzProblem: EdgefabError | undefined;
}

/** As many as fit on a screen beside the message. */
const SHOWN = 10;

function describe({ kind, name, rawBytes, compressedBytes }: EmbedShare): string {
  const what = kind === 'other' ? name : `${kind} ${name}`;
  return `${what}: about ${compressedBytes} bytes of the area, ${rawBytes} on the machine`;
}

/** Makes the EMBED_AREA_FULL error: the numbers, and what takes the space; all of it in its faults. */
export function areaFull(overfull: Overfull): EdgefabError {
  const { path, areaBytes, files, compression, compressedBytes, xzProblem } = overfull;
  const shares = embedShares(files, compressedBytes);
  const shown = shares.slice(0, SHOWN).map((share) => `  ${describe(share)}`);
  const more = shares.length > SHOWN ? [`  and ${shares.length - SHOWN} smaller ones`] : [];
  const numbers = `${compressedBytes} bytes with ${compression}, want at most ${areaBytes}: ${compressedBytes - areaBytes} too many`;
  return new EdgefabError(
    [
      `Ignition does not fit the embed area of ${path}: ${numbers}. What takes the space:`,
      ...shown,
      ...more,
    ].join('\n'),
    {
      code: 'EMBED_AREA_FULL',
      place: { file: path },
      faults: shares.map((share) => ({ place: { file: path, field: share.name }, message: describe(share) })),
      suggestions: [
        ...(xzProblem?.suggestions ?? []),
        'Move large files from the Ignition config to the cache disk; certificates and binaries do not compress',
      ],
      cause: xzProblem,
    },
  );
}
