import type { ByteOrigin, PullEvent } from '../../mirror/pull/pull-parts.ts';
import { formatBytes, formatSeconds } from './format-amount.ts';

/** What is told beside bytes: what a pull tells, a pause of the line by `--window` or `--limit-rate`, and each stick. */
export type ProgressEvent = PullEvent | { readonly kind: 'pause' } | StickEvent;

/** How far one of several sticks is; told when its percentage changes. */
export interface StickEvent {
  readonly kind: 'stick';
  readonly device: string;
  readonly phase: 'write' | 'check';
  readonly doneBytes: number;
  readonly totalBytes: number;
}

/** The rate is that of so long a time, so that it says what the line does now. */
const RATE_WINDOW_MS = 10_000;
const BAR_CELLS = 24;

/** How far a piece of work is, as numbers. Rates are bytes per second. */
export interface ProgressNumbers {
  readonly what: string;
  readonly doneBytes: number;
  readonly totalBytes: number;
  readonly movedBytes: number;
  readonly bytesPerSecond: number;
  readonly etaSeconds: number | null;
  readonly done: number;
  readonly total: number;
  readonly images: number;
  readonly imagesTotal: number;
  readonly failed: number;
  readonly retries: number;
}

/** Adds up what is told of one piece of work. Times are milliseconds of one clock. */
export class ProgressState {
  readonly #what: string;
  readonly #totalBytes: number;
  readonly #samples: { readonly ms: number; readonly moved: number }[];
  readonly #widths = new Map<string, number>();
  readonly #sticks = new Map<string, string>();
  #doneBytes = 0;
  #movedBytes = 0;
  #done = 0;
  #total = 0;
  #images = 0;
  #imagesTotal = 0;
  #failed = 0;
  #retries = 0;
  #note = '';
  #paused = false;

  constructor(what: string, totalBytes: number, nowMs: number) {
    this.#what = what;
    this.#totalBytes = totalBytes;
    this.#samples = [{ ms: nowMs, moved: 0 }];
  }

  advance(bytes: number, from: ByteOrigin): void {
    this.#doneBytes += from === 'lost' ? -bytes : bytes;
    if (from !== 'network') return;
    this.#movedBytes += bytes;
    this.#paused = false;
  }

  step(done: number, total: number): void {
    this.#done = done;
    this.#total = total;
  }

  tell(event: ProgressEvent): void {
    switch (event.kind) {
      case 'blob':
        this.step(event.done, event.total);
        return;
      case 'image':
        this.#images = event.done;
        this.#imagesTotal = event.total;
        return;
      case 'retry':
        this.#retries += 1;
        this.#note = event.reason;
        return;
      case 'failed':
        this.#failed += 1;
        this.#note = event.reason;
        return;
      case 'streams':
        this.#widths.set(event.host, event.width);
        return;
      case 'pause':
        this.#paused = true;
        return;
      case 'stick': {
        const percent = Math.floor((event.doneBytes / Math.max(1, event.totalBytes)) * 100);
        this.#sticks.set(event.device, `${event.device} ${event.phase} ${percent}%`);
        return;
      }
      default:
        event satisfies never;
    }
  }

  numbers(nowMs: number): ProgressNumbers {
    const samples = this.#samples;
    samples.push({ ms: nowMs, moved: this.#movedBytes });
    while ((samples[1]?.ms ?? nowMs) < nowMs - RATE_WINDOW_MS) samples.shift();
    const [first = { ms: nowMs, moved: 0 }] = samples;
    const bytesPerSecond = Math.round(
      ((this.#movedBytes - first.moved) * 1000) / Math.max(1, nowMs - first.ms),
    );
    const left = this.#totalBytes - this.#doneBytes;
    return {
      what: this.#what,
      doneBytes: this.#doneBytes,
      totalBytes: this.#totalBytes,
      movedBytes: this.#movedBytes,
      bytesPerSecond,
      etaSeconds: left > 0 && bytesPerSecond > 0 ? Math.ceil(left / bytesPerSecond) : null,
      done: this.#done,
      total: this.#total,
      images: this.#images,
      imagesTotal: this.#imagesTotal,
      failed: this.#failed,
      retries: this.#retries,
    };
  }

  /** Bytes first, then what they make up. */
  describe(nowMs: number): { readonly bytes: string; readonly rest: string; readonly bar: string } {
    const now = this.numbers(nowMs);
    const share = now.totalBytes === 0 ? 1 : Math.max(0, Math.min(1, now.doneBytes / now.totalBytes));
    const eta = now.etaSeconds === null ? '' : `, ${formatSeconds(now.etaSeconds)} left`;
    const rate = this.#paused ? 'paused' : `${formatBytes(now.bytesPerSecond)}/s${eta}`;
    const atOnce = [...this.#widths.values()].reduce((sum, width) => sum + width, 0);
    const rest = [
      ...(now.imagesTotal > 0 ? [`${now.images}/${now.imagesTotal} images`] : []),
      ...(now.total > 0 ? [`${now.done}/${now.total} blobs`] : []),
      ...(atOnce > 0 ? [`up to ${atOnce} at once`] : []),
      ...this.#sticks.values(),
      ...(now.retries > 0 ? [`${now.retries} retries`] : []),
      ...(now.failed > 0 ? [`${now.failed} failed`] : []),
      ...(this.#note === '' ? [] : [`last: ${this.#note}`]),
    ].join(', ');
    const filled = Math.floor(share * BAR_CELLS);
    return {
      bytes: `${now.what}: ${Math.floor(share * 100)}% ${formatBytes(now.doneBytes)} of ${formatBytes(now.totalBytes)}, ${rate}`,
      rest,
      bar: `[${'#'.repeat(filled)}${'-'.repeat(BAR_CELLS - filled)}]`,
    };
  }
}
