import { ButaneError } from './butane-error.ts';
import { type ButaneEnv, findButane, runButane } from './butane-program.ts';
import { parseButaneStderr } from './butane-stderr.ts';
import { localNames } from './local-names.ts';
import { type Report, reportOf } from './report.ts';
import { stageFiles } from './staged-files.ts';

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

/**
 * Translates a Butane document with the butane program and returns what it printed: Ignition JSON, or
 * the MachineConfig YAML of an openshift document. Throws BUTANE_FAILED with the report when butane
 * refuses, FILE_OUTSIDE and FILE_UNFIT for the files the document names.
 */
export async function translateWithProgram(
  butane: string,
  options: TranslateOptions,
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
  if (options.filesDir === undefined) return finish(await runButane(program, args, butane, timeoutMs));
  await using staged = await stageFiles(options.filesDir, localNames(butane));
  const run = await runButane(program, [...args, '--files-dir', staged.folder], butane, timeoutMs);
  return finish({ ...run, stderr: run.stderr.replaceAll(staged.folder, options.filesDir) });
}

function finish(run: { exitCode: number; stdout: string; stderr: string }): IgnitionResult {
  const { entries, summary } = parseButaneStderr(run.stderr);
  if (run.exitCode === 0) return { ignition: run.stdout, report: reportOf(entries) };
  const [first] = entries.filter((entry) => entry.kind === 'error');
  const place = first?.line === undefined ? '' : ` (line ${first.line}: ${first.message})`;
  throw new ButaneError(
    `butane refused the document: ${summary || `exit status ${run.exitCode}`}${place}`,
    'BUTANE_FAILED',
    reportOf(entries),
  );
}
