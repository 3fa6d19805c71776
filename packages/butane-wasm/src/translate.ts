import { resolve } from 'node:path';
import { ButaneError } from './butane-error.ts';
import { type ButaneEnv, findButane, runButane } from './butane-program.ts';
import { parseButaneStderr } from './butane-stderr.ts';
import type { LocalFiles } from './local-files.ts';
import { type Report, type ReportEntry, reportOf } from './report.ts';
import { stageFolder } from './staged-folder.ts';
import type { WasmEngine } from './wasm-engine.ts';

export interface TranslateOptions {
  /** Folder the document's local files are read from; without one a document may name none. */
  readonly filesDir?: string;
  /** Take any warning for a failure. */
  readonly strict?: boolean;
  readonly pretty?: boolean;
  /** Never wrap in a MachineConfig: print the Ignition config of an openshift document. */
  readonly raw?: boolean;
}

export interface IgnitionResult {
  readonly ignition: string;
  readonly report: Report;
}

/** A document to translate: its options, and the local files it names where it may name any. */
export interface Translation {
  readonly butane: string;
  readonly options: TranslateOptions;
  readonly local?: { readonly filesDir: string; readonly files: LocalFiles };
}

/**
 * Translates with the Butane inside the WebAssembly and returns what the butane program would print:
 * Ignition JSON, or the MachineConfig YAML of an openshift document. Throws BUTANE_FAILED with the report
 * when Butane refuses.
 */
export async function translateInWasm(
  { ask }: Pick<WasmEngine, 'ask'>,
  { butane, options, local }: Translation,
): Promise<IgnitionResult> {
  // The wasm sees the files at the path they really have, so its messages name the real one.
  const mount = local === undefined ? '' : resolve(local.filesDir);
  const { pretty = false, raw = false, strict = false } = options;
  const { ignition, message, entries } = await ask({
    operation: 'translate',
    parts: [JSON.stringify({ filesDir: mount, pretty, raw }), butane],
    ...(local === undefined ? {} : { files: { mount, files: local.files } }),
  });
  if (ignition === undefined) {
    const closing = parseButaneStderr(`Error translating config: ${message}`);
    const told = entries.some((entry) => entry.kind === 'error');
    throw refused(closing.summary, told ? entries : [...entries, ...closing.entries]);
  }
  if (strict && entries.length > 0) {
    throw refused('Config produced warnings and --strict was specified', entries);
  }
  return { ignition, report: reportOf(entries) };
}

/** Translates with the butane program, where the WebAssembly is not built; as `translateInWasm` does. */
export async function translateWithProgram(
  { butane, options, local }: Translation,
  env: ButaneEnv,
  timeoutMs: number,
): Promise<IgnitionResult> {
  const program = await findButane(env);
  const args: string[] = [];
  // Newer programs print findings for people unless told so; older ones do not know the flag.
  const help = await runButane(program, ['--help'], '', timeoutMs);
  if (`${help.stdout}${help.stderr}`.includes('--raw-errors')) args.push('--raw-errors');
  if (options.strict) args.push('--strict');
  if (options.pretty) args.push('--pretty');
  if (options.raw) args.push('--raw');
  if (local === undefined) return finish(await runButane(program, args, butane, timeoutMs));
  await using staged = await stageFolder(local.files);
  const run = await runButane(program, [...args, '--files-dir', staged.folder], butane, timeoutMs);
  return finish({ ...run, stderr: run.stderr.replaceAll(staged.folder, resolve(local.filesDir)) });
}

function finish(run: { exitCode: number; stdout: string; stderr: string }): IgnitionResult {
  const { entries, summary } = parseButaneStderr(run.stderr);
  if (run.exitCode === 0) return { ignition: run.stdout, report: reportOf(entries) };
  throw refused(summary || `exit status ${run.exitCode}`, entries);
}

function refused(summary: string, entries: readonly ReportEntry[]): ButaneError {
  const [first] = entries.filter((entry) => entry.kind === 'error');
  const place = first?.line === undefined ? '' : ` (line ${first.line}: ${first.message})`;
  return new ButaneError(
    `butane refused the document: ${summary}${place}`,
    'BUTANE_FAILED',
    reportOf(entries),
  );
}
