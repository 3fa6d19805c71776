import type { Host } from '../../host/host.ts';
import type { HostWidth } from './host-width.ts';

export interface ByHostOptions<T> {
  /** The most at once over all hosts. */
  readonly ceiling: number;
  readonly hostOf: (task: T) => string;
  readonly widthOf: (host: string) => HostWidth;
  readonly signal: AbortSignal;
  /** Does one task; must not reject. `isBusy` tells whether its host has all it may have under way. */
  readonly work: (task: T, width: HostWidth, isBusy: () => boolean) => Promise<void>;
}

/** A running set of tasks; `changed` makes it look again for what may start. */
export interface ByHost {
  readonly done: Promise<void>;
  changed(): void;
}

interface Lane<T> {
  readonly width: HostWidth;
  readonly tasks: { readonly order: number; readonly task: T }[];
  next: number;
  active: number;
}

/** Runs tasks in their order, as many at once as each host's width and the ceiling allow. After an abort none starts. */
export function runByHost<T>(
  tasks: readonly T[],
  { ceiling, hostOf, widthOf, signal, work }: ByHostOptions<T>,
  { now, sleep }: Pick<Host, 'now' | 'sleep'>,
): ByHost {
  const lanes = new Map<string, Lane<T>>();
  for (const [order, task] of tasks.entries()) {
    const host = hostOf(task);
    const lane = lanes.get(host) ?? { width: widthOf(host), tasks: [], next: 0, active: 0 };
    lanes.set(host, lane);
    lane.tasks.push({ order, task });
  }
  const { promise: done, resolve } = Promise.withResolvers<void>();
  let active = 0;
  let waitingUntilMs = Number.POSITIVE_INFINITY;

  const startable = (): Lane<T> | undefined => {
    const nowMs = now().getTime();
    let best: Lane<T> | undefined;
    for (const lane of lanes.values()) {
      const head = lane.tasks[lane.next];
      if (head === undefined || lane.active >= lane.width.width) continue;
      if (lane.width.notBeforeMs > nowMs) wakeAt(lane.width.notBeforeMs, nowMs);
      else if (best === undefined || head.order < (best.tasks[best.next]?.order ?? 0)) best = lane;
    }
    return best;
  };
  const wakeAt = (atMs: number, nowMs: number): void => {
    if (atMs >= waitingUntilMs) return;
    waitingUntilMs = atMs;
    sleep(atMs - nowMs, signal).then(
      () => {
        waitingUntilMs = Number.POSITIVE_INFINITY;
        changed();
      },
      () => changed(),
    );
  };
  const changed = (): void => {
    while (active < ceiling && !signal.aborted) {
      const lane = startable();
      const task = lane?.tasks[lane.next]?.task;
      if (lane === undefined || task === undefined) break;
      lane.next += 1;
      lane.active += 1;
      active += 1;
      const isBusy = (): boolean => lane.active >= lane.width.width || active >= ceiling;
      void work(task, lane.width, isBusy).finally(() => {
        lane.active -= 1;
        active -= 1;
        changed();
      });
    }
    const left = [...lanes.values()].some((lane) => lane.next < lane.tasks.length);
    if (active === 0 && (signal.aborted || !left)) resolve();
  };
  signal.addEventListener('abort', changed, { once: true });
  void done.then(() => signal.removeEventListener('abort', changed));
  changed();
  return { done, changed };
}
