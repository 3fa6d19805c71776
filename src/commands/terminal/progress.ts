import type { ByteOrigin } from '../../mirror/pull/pull-parts.ts';
import { type ProgressEvent, ProgressState } from './progress-state.ts';

export const PROGRESS_MODES = ['auto', 'bar', 'plain', 'json', 'none'] as const;
export type ProgressMode = (typeof PROGRESS_MODES)[number];

/** Tells somebody how far a long piece of work is. Amounts are bytes. */
export interface Progress {
  start(what: string, totalBytes: number): void;
  advance(bytes: number, from?: ByteOrigin): void;
  step(done: number, total: number): void;
  /** Tells what is more than bytes: an event of `--progress json`, a number or a line elsewhere. */
  tell(event: ProgressEvent): void;
  end(): void;
}

/** A terminal or a file; what `process.stderr` happens to be. */
export interface ProgressOutput {
  readonly isTTY?: boolean;
  readonly columns?: number;
  write(text: string): unknown;
}

const BAR_EVERY_MS = 100;
const LINE_EVERY_MS = 10_000;
const EVENT_EVERY_MS = 1000;

/**
 * Shows progress on stderr: two lines that are redrawn on a terminal, a line every 10 s elsewhere, NDJSON events
 * with `json` (docs/progress.md). Nothing is ever written between `end` and the next `start`.
 */
export function createProgress(mode: ProgressMode, output: ProgressOutput, now: () => number): Progress {
  const shown = mode === 'auto' ? (output.isTTY === true ? 'bar' : 'plain') : mode;
  let state: ProgressState | undefined;
  let timer: NodeJS.Timeout | undefined;
  let isDrawn = false;

  const emit = (event: string, rest: object): void => {
    output.write(`${JSON.stringify({ event, ts: new Date(now()).toISOString(), ...rest })}\n`);
  };
  const drawBar = (last: boolean): void => {
    const { bytes, rest, bar } = state?.describe(now()) ?? { bytes: '', rest: '', bar: '' };
    const width = (output.columns ?? 100) - 1;
    const lines = [`${bar} ${bytes}`, rest].map((line) => `\r\u001B[K${line.slice(0, width)}`);
    // From the second line back up to the first.
    output.write(`${isDrawn ? '\u001B[1A' : ''}${lines.join('\n')}${last ? '\n' : ''}`);
    isDrawn = true;
  };
  const draw = (last: boolean): void => {
    if (state === undefined) return;
    switch (shown) {
      case 'none':
        return;
      case 'bar':
        drawBar(last);
        return;
      case 'plain': {
        const { bytes, rest } = state.describe(now());
        output.write(`${bytes}${rest === '' ? '' : `, ${rest}`}\n`);
        return;
      }
      case 'json':
        emit(last ? 'end' : 'progress', state.numbers(now()));
        return;
      default:
        shown satisfies never;
    }
  };
  const every = { bar: BAR_EVERY_MS, plain: LINE_EVERY_MS, json: EVENT_EVERY_MS, none: 0 }[shown];
  return {
    start(what, totalBytes) {
      state = new ProgressState(what, totalBytes, now());
      isDrawn = false;
      if (shown === 'json') emit('start', { what, totalBytes });
      if (every > 0) {
        timer = setInterval(() => draw(false), every);
        timer.unref();
      }
    },
    advance(bytes, from = 'network') {
      state?.advance(bytes, from);
    },
    step(done, total) {
      state?.step(done, total);
    },
    tell(event) {
      if (state === undefined) return;
      state.tell(event);
      const { kind, ...rest } = event;
      if (shown === 'json') emit(kind, rest);
      if (shown === 'plain' && event.kind === 'failed')
        output.write(`failed: ${event.what}: ${event.reason}\n`);
    },
    end() {
      clearInterval(timer);
      draw(true);
      state = undefined;
    },
  };
}
