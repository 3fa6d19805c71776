import { type Report, reportOf } from './report.ts';

/** Why there is no result; a program branches on this, never on the message. */
export type ButaneErrorCode =
  | 'BUTANE_UNAVAILABLE'
  | 'BUTANE_FAILED'
  | 'BUTANE_TIMEOUT'
  | 'IGNITION_UNAVAILABLE'
  | 'IGNITION_FAILED'
  | 'IGNITION_TIMEOUT'
  | 'IGNITION_INVALID'
  | 'SPEC_VERSION_RAISED'
  | 'FIELD_LOST'
  | 'FILE_OUTSIDE'
  | 'FILE_UNFIT'
  | 'INPUT_TOO_LARGE'
  | 'INPUT_INVALID';

/** The one error type of this package: a code, and the report as far as there is one. */
export class ButaneError extends Error {
  readonly code: ButaneErrorCode;
  readonly report: Report;

  constructor(message: string, code: ButaneErrorCode, report: Report = reportOf([]), cause?: unknown) {
    super(message, cause === undefined ? undefined : { cause });
    this.name = 'ButaneError';
    this.code = code;
    this.report = report;
  }
}
