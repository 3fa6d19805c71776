import type { Host } from '../../host/host.ts';
import type { Found } from './guest-checks.ts';
import type { Check, Moment, Phase, Rehearsal } from './rehearsal.ts';

/** Collects what is seen of a machine through all its starts, with one clock. */
export interface RehearsalLog {
  /** Since the machine was switched on first. */
  seconds(): number;
  /** What follows belongs to this phase. */
  begin(phase: Phase): void;
  /** Adds a moment of the way. */
  note(what: string): void;
  /** Adds a check, of the phase that is on unless it is said. */
  add(found: Found, phase?: Phase): void;
  /** Takes back the checks of a phase, which is gone through once more. */
  forget(phase: Phase): void;
  readonly checks: readonly Check[];
  readonly timeline: readonly Moment[];
  phases(): Rehearsal['phases'];
}

/** Opens a log whose clock begins now; `onNews` is told of each moment and check. */
export function openRehearsalLog(onNews: (line: string) => void, { now }: Pick<Host, 'now'>): RehearsalLog {
  const started = now().getTime();
  const seconds = (): number => (now().getTime() - started) / 1000;
  const timeline: Moment[] = [];
  const checks: Check[] = [];
  const ended: { readonly phase: Phase; readonly seconds: number }[] = [];
  let phase: Phase = 'live';
  return {
    seconds,
    begin: (next) => {
      if (next !== phase) ended.push({ phase, seconds: seconds() });
      phase = next;
    },
    note: (what) => {
      timeline.push({ phase, seconds: seconds(), what });
      onNews(what);
    },
    add: ({ name, state, detail }, of = phase) => {
      checks.push({ phase: of, name, state, detail, seconds: seconds() });
      onNews(`${state}: ${name}: ${detail}`);
    },
    forget: (which) => {
      const kept = checks.filter((each) => each.phase !== which);
      checks.splice(0, checks.length, ...kept);
    },
    checks,
    timeline,
    phases: () => [...ended, { phase, seconds: seconds() }],
  };
}
