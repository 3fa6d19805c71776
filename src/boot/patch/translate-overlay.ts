import { dirname } from 'node:path';
import type { Butane, IgnitionResult, ReportEntry } from 'butane-wasm';
import { EdgefabError, type Fault } from '../../errors.ts';
import { faultsError, formatFault } from '../../formats/faults-error.ts';
import { parseYamlDocument } from '../../formats/yaml-document.ts';
import { engineMissing, isUnavailable } from '../ignition/butane-engine.ts';
import type { Ignition } from '../ignition/ignition.ts';
import { compareSpecs, ignitionSpecOf } from '../ignition/ignition-spec.ts';
import { loadText } from '../ignition/load-text.ts';
import { parseIgnitionText } from '../ignition/parse-ignition.ts';

/** Butane's own reader takes more; a document is written by hand, bulk goes into local files. */
const MAX_BUTANE_BYTES = 4 * 1024 * 1024;

/** What a Butane file stands for, and what Butane or edgefab found odd about it. */
export type TranslatedOverlay = { readonly warnings: readonly string[] } & (
  | { readonly kind: 'live'; readonly ignition: Ignition }
  | { readonly kind: 'machine-config'; readonly text: string }
);

/**
 * Translates one Butane file of a user. Throws FILE_UNREADABLE, BUTANE_INVALID with line and column,
 * IGNITION_SPEC_TOO_NEW when the release reads no such spec, TOOL_MISSING.
 */
export async function translateOverlay(
  file: string,
  release: string,
  { translate }: Pick<Butane, 'translate'>,
): Promise<TranslatedOverlay> {
  const text = await loadText(file, {
    what: 'a Butane file',
    maxBytes: MAX_BUTANE_BYTES,
    code: 'BUTANE_INVALID',
  });
  const variant = variantOf(text, file);
  const { ignition, report } = await run(text, file, translate);
  const { faults, warnings } = sortReport(report.entries, file);
  if (faults.length > 0) throw faultsError(file, faults, { code: 'BUTANE_INVALID' });
  if (variant === 'fcos') {
    const live = parseIgnitionText(ignition, file);
    assertRead(file, live.version, release);
    return { kind: 'live', ignition: live, warnings };
  }
  const { spec, role } = machineConfigOf(ignition, file);
  assertRead(file, spec, release);
  const unused =
    role === 'master'
      ? []
      : [
          `${file}: the role is ${role}, and a single node is of the pool master: it will not get this MachineConfig`,
        ];
  return { kind: 'machine-config', text: ignition, warnings: [...warnings, ...unused] };
}

function variantOf(text: string, file: string): 'fcos' | 'openshift' {
  const document = parseYamlDocument(text, { file, code: 'BUTANE_INVALID' });
  const { data } = document;
  const variant = typeof data === 'object' && data !== null && 'variant' in data ? data.variant : undefined;
  if (variant === 'fcos' || variant === 'openshift') return variant;
  const got = variant === undefined ? 'nothing' : JSON.stringify(variant).slice(0, 60);
  const message = `got ${got}, want fcos (for the live system) or openshift (for the installed node)`;
  const place = { ...document.placeOf(variant === undefined ? [] : ['variant']), field: 'variant' };
  throw faultsError(file, [{ place, message }], { code: 'BUTANE_INVALID' });
}

async function run(text: string, file: string, translate: Butane['translate']): Promise<IgnitionResult> {
  try {
    return await translate(text, { filesDir: dirname(file) });
  } catch (cause) {
    if (isUnavailable(cause)) throw engineMissing(`translating ${file}`, cause);
    if (!(cause instanceof Error) || !isButaneError(cause)) throw cause;
    const { faults } = sortReport(cause.report.entries, file);
    const told = faults.length > 0 ? faults : [{ place: { file }, message: cause.message }];
    throw faultsError(file, told, { code: 'BUTANE_INVALID' });
  }
}

function isButaneError(error: Error): error is Error & { report: { entries: readonly ReportEntry[] } } {
  return 'code' in error && 'report' in error;
}

/** A key Butane does not know is a slip of the pen, so it is a fault here and no warning. */
function sortReport(entries: readonly ReportEntry[], file: string): { faults: Fault[]; warnings: string[] } {
  const faults: Fault[] = [];
  const warnings: string[] = [];
  for (const { kind, message, line, column, path } of entries) {
    const place = {
      file,
      ...(line === undefined ? {} : { line }),
      ...(column === undefined ? {} : { col: column }),
      ...(path === undefined ? {} : { field: path.replace(/^\$\.?/, '') }),
    };
    if (kind === 'error' || /^unused key\b/i.test(message)) faults.push({ place, message });
    else warnings.push(formatFault({ place, message }));
  }
  return { faults, warnings };
}

function machineConfigOf(text: string, file: string): { spec: string; role: string } {
  const { data } = parseYamlDocument(text, { file: `${file} (translated)`, code: 'BUTANE_INVALID' });
  const at = (...keys: string[]): unknown =>
    keys.reduce<unknown>(
      (value, key) =>
        typeof value === 'object' && value !== null ? (value as Record<string, unknown>)[key] : undefined,
      data,
    );
  return {
    spec: String(at('spec', 'config', 'ignition', 'version')),
    role: String(at('metadata', 'labels', 'machineconfiguration.openshift.io/role')),
  };
}

function assertRead(file: string, spec: string, release: string): void {
  const read = ignitionSpecOf(release);
  if (compareSpecs(spec, read) <= 0) return;
  throw new EdgefabError(
    `${file} needs Ignition spec ${spec}, and release ${release} reads ${read} at most`,
    {
      code: 'IGNITION_SPEC_TOO_NEW',
      suggestions: [`Lower the version at its top: one that Butane translates to Ignition ${read} or older`],
      place: { file, field: 'version' },
    },
  );
}
