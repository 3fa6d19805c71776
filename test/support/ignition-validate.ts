import { spawnSync } from 'node:child_process';

/** Whether Ignition's own validator is on PATH. */
export const HAS_IGNITION_VALIDATE = spawnSync('ignition-validate', ['--version']).error === undefined;

/** Asks Ignition's own validator about a config; returns what it complains about, empty for a good one. */
export function ignitionValidate(config: Uint8Array | string): string {
  const result = spawnSync('ignition-validate', ['-'], { input: config, encoding: 'utf8' });
  return result.status === 0 ? '' : `${result.stdout}${result.stderr}` || `status ${result.status}`;
}
