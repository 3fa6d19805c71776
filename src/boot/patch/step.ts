import { EdgefabError } from '../../errors.ts';
import { type NewFile, withFile } from '../ignition/edit-ignition.ts';
import type { Ignition } from '../ignition/ignition.ts';
import { diffLines } from '../ignition/line-diff.ts';

/** What one step did. `changes` is empty when all was in place already; `skipped` says why nothing was done. */
export interface StepReport {
  readonly name: string;
  readonly why: string;
  readonly changes: readonly string[];
  readonly skipped?: string;
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
}

/** The change that puts a file into a config; one that bootkube copies is called a manifest. */
export function fileChange(file: NewFile): Change {
  const what = /^\/opt\/openshift\/(?:manifests|openshift)\//.test(file.path) ? 'manifest' : 'file';
  return { describe: `${what} ${file.path}`, apply: (ignition) => withFile(ignition, file) };
}

/** Applies a step's changes in order and reports those that changed something. */
export function applyStep(ignition: Ignition, step: Step): { ignition: Ignition; report: StepReport } {
  const changes: string[] = [];
  let current = ignition;
  for (const change of step.changes) {
    const next = change.apply(current);
    if (next !== current) changes.push(change.describe);
    current = next;
  }
  const { name, why, skipped } = step;
  return { ignition: current, report: { name, why, changes, ...(skipped === undefined ? {} : { skipped }) } };
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
