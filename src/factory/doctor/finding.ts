/** One thing looked at. `missing` stops the work that needs it; `note` is worth knowing. */
export interface Finding {
  readonly what: string;
  readonly state: 'ok' | 'note' | 'missing';
  readonly detail: string;
  /** What to do about it. */
  readonly remedy?: string;
}
