import { type Butane, createButane } from './butane.ts';

export { type Butane, type ButaneSettings, createButane } from './butane.ts';
export { ButaneError, type ButaneErrorCode } from './butane-error.ts';
export type { Report, ReportEntry } from './report.ts';
export type { IgnitionResult, TranslateOptions } from './translate.ts';

/** Nothing is loaded here: the WebAssembly is opened at the first call. */
const shared = createButane();

/** Translates a Butane document to Ignition, or to a MachineConfig for an openshift document. */
export const translate: Butane['translate'] = shared.translate;
/** Validates an Ignition config of any supported version; answers with a report. */
export const validate: Butane['validate'] = shared.validate;
/** Merges a child config into a parent at the parent's spec version, never a newer one. */
export const merge: Butane['merge'] = shared.merge;
