import { open } from 'node:fs/promises';
import type { Phase } from './rehearsal.ts';

/** Follows a console's text as it grows. */
export interface ConsoleWatch {
  /** Reads what is new. */
  look(): Promise<void>;
  /** Moments of the way that it told of, each once. */
  readonly moments: readonly string[];
  /** Whether the initramfs is done: from then on there can be a shell. */
  isHandedOver(): boolean;
  /** The line that says that the machine will not come up; undefined while none does. */
  fault(): string | undefined;
}

const SYSTEM: Readonly<Record<Phase, string>> = {
  live: 'the live system',
  installed: 'the installed system',
};
const HANDS_OVER = /systemd\[1\]: Switching root/;
const MOMENTS: readonly (readonly [RegExp, (system: string) => string])[] = [
  [/Linux version \d/, () => 'the kernel runs'],
  [/Starting .*ignition-fetch-offline/, () => 'Ignition begins'],
  [/Finished .*ignition-files\.service/, () => 'Ignition has written its files'],
  [HANDS_OVER, (system) => `the initramfs hands over to ${system}`],
  [/Reached target .*multi-user\.target/, (system) => `${system} is up`],
  [/edgefab: the copy is complete/, () => 'the cache was copied to the node'],
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
export function watchConsole(path: string, phase: Phase = 'live'): ConsoleWatch {
  const moments: string[] = [];
  let handedOver = false;
  let fault: string | undefined;
  let offset = 0;
  let tail = '';
  const take = (text: string): void => {
    // Colours stand in the middle of what is looked for.
    const now = tail + text.replaceAll(COLOUR, '');
    for (const [sign, tell] of MOMENTS) {
      const what = tell(SYSTEM[phase]);
      if (sign.test(now) && !moments.includes(what)) moments.push(what);
    }
    handedOver ||= HANDS_OVER.test(now);
    for (const sign of FAULTS) fault ??= sign.exec(now)?.[0].trim();
    tail = now.slice(-OVERLAP_CHARS);
  };
  return {
    moments,
    isHandedOver: () => handedOver,
    fault: () => fault,
    look: async () => {
      const file = await open(path, 'r').catch(() => undefined);
      if (file === undefined) return;
      try {
        const piece = Buffer.alloc(PIECE_BYTES);
        for (;;) {
          const { bytesRead } = await file.read(piece, 0, piece.length, offset);
          if (bytesRead === 0) return;
          offset += bytesRead;
          take(piece.toString('latin1', 0, bytesRead));
        }
      } finally {
        await file.close();
      }
    },
  };
}
