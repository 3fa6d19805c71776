import type { Host } from '../../host/host.ts';

/** How many transfers one registry gets at once, learned from how it bears them. */
export interface HostWidth {
  readonly width: number;
  /** Nothing new is started before this moment (milliseconds of the clock); 0 when free. */
  readonly notBeforeMs: number;
  /** Tells of work done: bytes, or a request, which counts as the bytes it could have been. `busy`: all were in use. */
  worked(bytes: number, busy: boolean): void;
  /** Tells that the registry, or the line, asked for less: 429, 5xx, silence, a cut. `waitMs` as it was asked for. */
  pushedBack(waitMs: number): void;
}

const FIRST_WIDTH = 4;
const EPOCH_MS = 1000;
/** More transfers must bring this much more to be worth it: more of them lose more when the line breaks. */
const DOUBLING_GAIN = 1.1;
const PROBE_GAIN = 1.02;
/** Epochs at one width before one more is tried. */
const HELD_EPOCHS = 5;

/**
 * Learns a width from 1 to the ceiling: doubles at first while that helps, later tries a quarter more every few
 * seconds and keeps it when throughput grew, and halves, at most once a second, when it is pushed back.
 */
export function createHostWidth(
  ceiling: number,
  { now }: Pick<Host, 'now'>,
  onChange: (width: number, reason: string) => void,
): HostWidth {
  let width = Math.min(FIRST_WIDTH, ceiling);
  let phase: 'doubling' | 'held' | 'probing' = 'doubling';
  let narrower = width;
  let before: number | undefined;
  let heldEpochs = 0;
  let notBeforeMs = 0;
  let epochMs = now().getTime();
  let work = 0;
  let wasBusy = true;
  let cutMs = Number.NEGATIVE_INFINITY;

  const set = (next: number, reason: string): void => {
    const bounded = Math.max(1, Math.min(ceiling, next));
    if (bounded === width) return;
    width = bounded;
    onChange(width, reason);
  };
  const hold = (rate: number | undefined): void => {
    phase = 'held';
    heldEpochs = 0;
    before = rate;
  };
  const judge = (rate: number): void => {
    switch (phase) {
      case 'doubling':
        if (before !== undefined && rate < before * DOUBLING_GAIN) {
          hold(rate);
          break;
        }
        before = rate;
        set(width * 2, 'more at once brings more');
        break;
      case 'held':
        before = rate;
        heldEpochs += 1;
        if (heldEpochs < HELD_EPOCHS || width >= ceiling) break;
        phase = 'probing';
        narrower = width;
        set(width + Math.max(1, Math.floor(width / 4)), 'trying more at once');
        break;
      case 'probing':
        if (before !== undefined && rate < before * PROBE_GAIN) set(narrower, 'more at once brings no more');
        hold(rate);
        break;
      default:
        phase satisfies never;
    }
  };

  return {
    get width() {
      return width;
    },
    get notBeforeMs() {
      return notBeforeMs;
    },
    worked(bytes, busy) {
      work += bytes;
      wasBusy &&= busy;
      const nowMs = now().getTime();
      const elapsed = nowMs - epochMs;
      if (elapsed < EPOCH_MS) return;
      // Fewer than allowed were at work: that says nothing about the width.
      if (wasBusy) judge((work * 1000) / elapsed);
      epochMs = nowMs;
      work = 0;
      wasBusy = true;
    },
    pushedBack(waitMs) {
      const nowMs = now().getTime();
      notBeforeMs = Math.max(notBeforeMs, nowMs + waitMs);
      // Transfers that failed together are one push.
      if (nowMs - cutMs < EPOCH_MS) return;
      cutMs = nowMs;
      hold(undefined);
      set(Math.floor(width / 2), 'the registry or the line pushed back');
    },
  };
}
