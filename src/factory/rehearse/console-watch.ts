import { open } from 'node:fs/promises';
import type { Moment } from './rehearsal.ts';

/** Follows a console's text as it grows. */
export interface ConsoleWatch {
  /** Reads what is new, at this many seconds since the machine was switched on. */
  look(seconds: number): Promise<void>;
  readonly moments: readonly Moment[];
  /** The line that says that the machine will not come up; undefined while none does. */
  fault(): string | undefined;
}

const MOMENTS: readonly (readonly [RegExp, string])[] = [
  [/Linux version \d/, 'the kernel runs'],
  [/Starting .*ignition-fetch-offline/, 'Ignition begins'],
  [/Finished .*ignition-files\.service/, 'Ignition has written its files'],
  [/systemd\[1\]: Switching root/, 'the initramfs hands over to the live system'],
  [/Reached target .*multi-user\.target/, 'the live system is up'],
];
const FAULTS = [
  /Kernel panic - not syncing.*/,
  /Ignition (?:has )?failed.*/i,
  /Failed to start .*ignition-\S+\.service.*/,
  /You are in emergency mode.*/,
  /Entering emergency mode.*/,
  /Reached target .*emergency\.target.*/,
  /Not starting because .*No bootable device.*/,
];
/** What colours text on a terminal (ECMA-48 section 5.4), where its first character is ESC. */
const COLOUR = new RegExp(`${String.fromCharCode(27)}\\[[0-9;?]*[A-Za-z]`, 'g');
const PIECE_BYTES = 65_536;
/** A line may come in two pieces. */
const OVERLAP_CHARS = 400;

/** Begins to follow a console's file, which need not be there yet. */
export function watchConsole(path: string): ConsoleWatch {
  const moments: Moment[] = [];
  let fault: string | undefined;
  let offset = 0;
  let tail = '';
  const take = (text: string, seconds: number): void => {
    // Colours stand in the middle of what is looked for.
    const now = tail + text.replaceAll(COLOUR, '');
    for (const [sign, what] of MOMENTS)
      if (sign.test(now) && !moments.some((moment) => moment.what === what)) moments.push({ seconds, what });
    for (const sign of FAULTS) fault ??= sign.exec(now)?.[0].trim();
    tail = now.slice(-OVERLAP_CHARS);
  };
  return {
    moments,
    fault: () => fault,
    look: async (seconds) => {
      const file = await open(path, 'r').catch(() => undefined);
      if (file === undefined) return;
      try {
        const piece = Buffer.alloc(PIECE_BYTES);
        for (;;) {
          const { bytesRead } = await file.read(piece, 0, piece.length, offset);
          if (bytesRead === 0) return;
          offset += bytesRead;
          take(piece.toString('latin1', 0, bytesRead), seconds);
        }
      } finally {
        await file.close();
      }
    },
  };
}
