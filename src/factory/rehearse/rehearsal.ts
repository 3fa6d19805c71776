import type { NetworkAttempt } from './network-traffic.ts';

/** `live`: the system on the stick, until its disk is written. `installed`: the node, from its first start. */
export type Phase = 'live' | 'installed';

/**
 * What the machine's cards lead to. `dropped`: a router, and all that is sent to it is lost. `no-route`: the router says
 * that nothing can be reached. `answers`: a site's own name and time servers, and nothing else.
 */
export const NETWORK_KINDS = ['dropped', 'no-route', 'answers'] as const;
export type NetworkKind = (typeof NETWORK_KINDS)[number];

/** One thing a rehearsal looked at. `unknown`: it could not be looked at, which counts as not good. */
export interface Check {
  readonly phase: Phase;
  readonly name: string;
  readonly state: 'good' | 'failed' | 'unknown';
  readonly detail: string;
  /** When it was known, since the machine was switched on. */
  readonly seconds: number;
}

/** A moment on the way, as the console tells it. */
export interface Moment {
  readonly phase: Phase;
  readonly seconds: number;
  readonly what: string;
}

/** What a rehearsal of one site found; `rehearsal.json` beside its logs. */
export interface Rehearsal {
  readonly site: string;
  readonly buildId: string;
  readonly endedAt: string;
  /** edgefab/VERSION. */
  readonly writer: string;
  readonly verdict: 'passed' | 'failed';
  readonly firmware: 'bios' | 'uefi';
  readonly accelerator: 'kvm' | 'tcg';
  readonly memoryMiB: number;
  readonly network: NetworkKind;
  /** What its clock said whenever it was switched on; null: the true time. */
  readonly clock: string | null;
  readonly seconds: number;
  /** Those that were begun, and when each ended, since the machine was switched on. */
  readonly phases: readonly { readonly phase: Phase; readonly seconds: number }[];
  readonly checks: readonly Check[];
  readonly timeline: readonly Moment[];
  readonly attempts: readonly (NetworkAttempt & { readonly phase: Phase })[];
  readonly payloadBytes: number;
  /** What the rehearsed machine had otherwise than the site's. */
  readonly notes: readonly string[];
  /** Of the last start. */
  readonly consoleLog: string;
}
