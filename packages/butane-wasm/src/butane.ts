import { checkInput } from './bounded-input.ts';
import { ButaneError } from './butane-error.ts';
import type { ButaneEnv } from './butane-program.ts';
import { loadLocalFiles } from './local-files.ts';
import { localNames } from './local-names.ts';
import type { Report } from './report.ts';
import {
  type IgnitionResult,
  type TranslateOptions,
  type Translation,
  translateInWasm,
  translateWithProgram,
} from './translate.ts';
import { wasmEngine } from './wasm-engine.ts';
import { type CarriedWasm, carriedWasm, wasmFile } from './wasm-origin.ts';

/** A Butane document is written by hand; this is far above any. */
const MAX_BUTANE_BYTES = 8 * 1024 * 1024;
/** A single-node bootstrap config has about one megabyte. */
const MAX_IGNITION_BYTES = 16 * 1024 * 1024;

export interface ButaneSettings {
  /** The WebAssembly file; the one `npm run build` made when left out. */
  readonly wasmPath?: string;
  /** In place of files: what a program that is one file has inside. */
  readonly carried?: CarriedWasm;
  /**
   * Where a butane program is looked up (`BUTANE`, `PATH`) when the WebAssembly is not built; the process's
   * environment when left out.
   */
  readonly env?: ButaneEnv;
  /** How long one request may take, 30,000 when left out. */
  readonly timeoutMs?: number;
}

export interface Butane {
  translate(butane: string, options?: TranslateOptions): Promise<IgnitionResult>;
  validate(ignition: string): Promise<{ readonly report: Report }>;
  merge(parent: string, child: string): Promise<IgnitionResult>;
}

/**
 * Makes a Butane with its own engines. `validate` answers with a report, also about a config that is
 * invalid; `translate` and `merge` throw a ButaneError when there is no config to return.
 */
export function createButane(settings: ButaneSettings = {}): Butane {
  const timeoutMs = settings.timeoutMs ?? 30_000;
  const engine = wasmEngine(
    settings.carried === undefined ? wasmFile(settings.wasmPath) : carriedWasm(settings.carried),
    timeoutMs,
  );
  return {
    async translate(butane, options = {}) {
      checkInput('the Butane document', butane, MAX_BUTANE_BYTES);
      const translation: Translation = { butane, options, ...(await localOf(butane, options.filesDir)) };
      if (await engine.isBuilt()) return translateInWasm(engine, translation);
      return translateWithProgram(translation, settings.env ?? process.env, timeoutMs);
    },
    async validate(ignition) {
      checkInput('the Ignition config', ignition, MAX_IGNITION_BYTES);
      const { entries, isFatal } = await engine.ask({ operation: 'validate', parts: [ignition] });
      return { report: { entries, isFatal } };
    },
    async merge(parent, child) {
      checkInput('the parent', parent, MAX_IGNITION_BYTES);
      checkInput('the child', child, MAX_IGNITION_BYTES);
      const { ignition, code, message, entries, isFatal } = await engine.ask({
        operation: 'merge',
        parts: [parent, child],
      });
      const report: Report = { entries, isFatal };
      if (ignition === undefined) {
        throw new ButaneError(message ?? 'the configs cannot be merged', code ?? 'IGNITION_INVALID', report);
      }
      return { ignition, report };
    },
  };
}

async function localOf(butane: string, filesDir: string | undefined): Promise<Pick<Translation, 'local'>> {
  if (filesDir === undefined) return {};
  return { local: { filesDir, files: await loadLocalFiles(filesDir, localNames(butane)) } };
}
