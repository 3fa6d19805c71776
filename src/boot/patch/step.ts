import { EdgefabError } from '../../errors.ts';
import { diffIgnition, type IgnitionChange } from '../ignition/diff-ignition.ts';
import type { Ignition } from '../ignition/ignition.ts';
import { diffLines } from '../ignition/line-diff.ts';
import type { OwnContent } from './own-content.ts';
import { type StepFacts, stepFacts } from './step-facts.ts';

/** What one step did. `changes` is empty when all was in place already; `skipped` says why nothing was done. */
export interface StepReport {
  readonly name: string;
  readonly why: string;
  readonly changes: readonly string[];
  readonly skipped?: string;
  /** What was done as asked, and may not be what was meant. */
  readonly warnings?: readonly string[];
  /** Only where it was asked for. */
  readonly explained?: StepExplained;
}

/** A step told at length: of each of its `changes`, in the same order, what differs; secrets are masked. */
export interface StepExplained extends StepFacts {
  readonly differences: readonly (readonly IgnitionChange[])[];
}

/** One change by its words: `describe` is reported only where `apply` really changed something. */
export interface Change {
  readonly describe: string;
  apply(ignition: Ignition): Ignition;
}

/** A small named patch: what it is for, and the changes it consists of, or why it does not apply. */
export interface Step {
  readonly name: string;
  readonly why: string;
  readonly changes: readonly Change[];
  readonly skipped?: string;
  /** What the step does as asked, and what may not be what was meant. */
  readonly warnings?: readonly string[];
  /** What it brings in from the user's own files. */
  readonly own?: OwnContent;
}

/** Applies a step's changes in order and reports those that changed something; on request with what differs. */
export function applyStep(
  ignition: Ignition,
  step: Step,
  { explain = false }: { readonly explain?: boolean } = {},
): { ignition: Ignition; report: StepReport } {
  const changes: string[] = [];
  const differences: IgnitionChange[][] = [];
  let current = ignition;
  for (const change of step.changes) {
    const next = change.apply(current);
    if (next !== current) {
      changes.push(change.describe);
      if (explain) differences.push(diffIgnition(current, next));
    }
    current = next;
  }
  const { name, why, skipped, warnings = [] } = step;
  const report: StepReport = {
    name,
    why,
    changes,
    ...(skipped === undefined ? {} : { skipped }),
    ...(warnings.length === 0 ? {} : { warnings }),
    ...(explain ? { explained: { ...stepFacts(name), differences } } : {}),
  };
  return { ignition: current, report };
}

/** What a step looked for and what it found, in one place of the installer's text. */
export interface TextMismatch {
  readonly step: string;
  readonly where: string;
  readonly path: string;
  /** The text the step knows. */
  readonly expected: string;
  /** What stands there; undefined when the file or unit is missing. */
  readonly found: string | undefined;
  /** What the step would have made of it. */
  readonly wanted: string;
}

/** Makes the refusal of a step that does not know the text: expected, found, and what would have been made. */
export function textUnknown(mismatch: TextMismatch): EdgefabError {
  const { step, where, path, expected, found, wanted } = mismatch;
  const view = [
    `expected:`,
    ...expected.split('\n').map((line) => `  ${line}`),
    `found:`,
    ...(found === undefined ? ['  (nothing)'] : found.split('\n').map((line) => `  ${line}`)),
    `the step would make:`,
    ...diffLines(expected, wanted).map((line) => `  ${line}`),
  ];
  return new EdgefabError(
    `${where}: the patch ${step} does not know the text of ${path}, and will not guess\n${view.join('\n')}`,
    {
      code: 'INSTALLER_TEXT_UNKNOWN',
      suggestions: [
        'Start from an Ignition config just as openshift-install wrote it',
        'If it is one, this release changed its scripts: please report the release version and this message',
      ],
      place: { file: where, field: path },
    },
  );
}
