import { formatBytes, formatSeconds } from './format-amount.ts';

export const PROGRESS_MODES = ['auto', 'bar', 'plain', 'json', 'none'] as const;
export type ProgressMode = (typeof PROGRESS_MODES)[number];

/** Tells somebody how far a long piece of work is. Amounts are bytes. */
export interface Progress {
  start(what: string, totalBytes: number): void;
  advance(bytes: number, from?: 'network' | 'held'): void;
  step(done: number, total: number): void;
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

interface State {
  what: string;
  totalBytes: number;
  doneBytes: number;
  movedBytes: number;
  done: number;
  total: number;
  startedMs: number;
}

function describe(state: State, nowMs: number): string {
  const elapsed = Math.max(0.001, (nowMs - state.startedMs) / 1000);
  const rate = state.movedBytes / elapsed;
  const left = state.totalBytes - state.doneBytes;
  const percent = state.totalBytes === 0 ? 100 : Math.floor((state.doneBytes * 100) / state.totalBytes);
  const eta = rate > 0 && left > 0 ? `, ${formatSeconds(left / rate)} left` : '';
  const blobs = state.total > 0 ? `, ${state.done}/${state.total} blobs` : '';
  return `${state.what}: ${percent}% ${formatBytes(state.doneBytes)} of ${formatBytes(state.totalBytes)}, ${formatBytes(Math.round(rate))}/s${eta}${blobs}`;
}

/**
 * Shows progress on stderr: one line that is redrawn on a terminal, a line every 10 s elsewhere, NDJSON events
 * with `json`. Nothing is ever written between `end` and the next `start`.
 */
export function createProgress(mode: ProgressMode, output: ProgressOutput, now: () => number): Progress {
  const shown = mode === 'auto' ? (output.isTTY === true ? 'bar' : 'plain') : mode;
  let state: State | undefined;
  let timer: NodeJS.Timeout | undefined;
  const draw = (last: boolean): void => {
    if (state === undefined) return;
    switch (shown) {
      case 'none':
        return;
      case 'bar': {
        const text = describe(state, now()).slice(0, (output.columns ?? 100) - 1);
        output.write(`\r\u001B[K${text}${last ? '\n' : ''}`);
        return;
      }
      case 'plain':
        output.write(`${describe(state, now())}\n`);
        return;
      case 'json': {
        const { what, doneBytes, totalBytes, movedBytes, done, total } = state;
        const event = last ? 'end' : 'progress';
        const ts = new Date(now()).toISOString();
        output.write(
          `${JSON.stringify({ event, ts, what, doneBytes, totalBytes, movedBytes, done, total })}\n`,
        );
        return;
      }
      default:
        shown satisfies never;
    }
  };
  const every = { bar: BAR_EVERY_MS, plain: LINE_EVERY_MS, json: EVENT_EVERY_MS, none: 0 }[shown];
  return {
    start(what, totalBytes) {
      state = { what, totalBytes, doneBytes: 0, movedBytes: 0, done: 0, total: 0, startedMs: now() };
      if (every > 0) {
        timer = setInterval(() => draw(false), every);
        timer.unref();
      }
    },
    advance(bytes, from = 'network') {
      if (state === undefined) return;
      state.doneBytes += bytes;
      if (from === 'network') state.movedBytes += bytes;
    },
    step(done, total) {
      if (state === undefined) return;
      state.done = done;
      state.total = total;
    },
    end() {
      clearInterval(timer);
      draw(true);
      state = undefined;
    },
  };
}
