import { spawnSync } from 'node:child_process';

const program = process.env.COREOS_INSTALLER ?? 'coreos-installer';

/** Whether the real coreos-installer is here (env COREOS_INSTALLER or PATH); tests skip with a reason otherwise. */
export const hasCoreosInstaller = spawnSync(program, ['--version']).status === 0;

/** What to put behind the title of a test that needs it. */
export const coreosInstallerSkip = hasCoreosInstaller ? '' : ' (SKIPPED: no coreos-installer on PATH)';

/** Runs coreos-installer and gives its stdout; throws with its stderr when it fails. */
export function coreosInstaller(args: readonly string[], input?: Uint8Array): Buffer {
  const { status, stdout, stderr } = spawnSync(program, args, {
    input: input ?? '',
    maxBuffer: 64 * 1024 * 1024,
  });
  if (status !== 0) throw new Error(`coreos-installer ${args.join(' ')}: ${stderr.toString()}`);
  return stdout;
}
