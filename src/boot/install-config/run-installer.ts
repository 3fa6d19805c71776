import { chmod, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { EdgefabError } from '../../errors.ts';
import type { Host } from '../../host/host.ts';
import { MASK, secretsOfInstallConfig } from './mask-install-config.ts';

export interface InstallerRun {
  /** The openshift-install program. */
  readonly installer: string;
  readonly installConfigYaml: string;
  /** The release it must be of; any when left out. */
  readonly version?: string;
  /** Where the private folder is made, which is gone afterwards. */
  readonly workFolder: string;
}

/** What the installer made: the config's exact bytes, and the cluster's first credentials (secrets, all three). */
export interface InstallerOutput {
  readonly ignition: Uint8Array;
  readonly kubeconfig: Uint8Array;
  readonly kubeadminPassword: string;
}

/** Removes secrets from what the installer printed, and keeps the last lines. */
function printable(text: string, secrets: readonly string[]): string {
  let out = text;
  for (const secret of secrets) out = out.replaceAll(secret, MASK);
  return out.trim().split('\n').slice(-8).join('\n').slice(-2000);
}

async function assertVersion(run: InstallerRun, host: Pick<Host, 'run'>): Promise<void> {
  if (run.version === undefined) return;
  const { exitCode, stdout } = await host.run(run.installer, ['version']);
  // First line: "openshift-install 4.18.9"; the program's name may be a path.
  const got = /^\S+ v?(\S+)/.exec(stdout)?.[1];
  if (exitCode === 0 && got === run.version) return;
  throw new EdgefabError(
    `the installer ${run.installer} is of release ${got?.slice(0, 60) ?? 'unknown'}, want ${run.version}`,
    {
      code: 'INSTALLER_VERSION_MISMATCH',
      suggestions: [`Get openshift-install ${run.version}, or change the release`],
    },
  );
}

/**
 * Runs `openshift-install create single-node-ignition-config` in a private folder that is removed afterwards.
 * Throws TOOL_MISSING, INSTALLER_VERSION_MISMATCH, and TOOL_FAILED with the installer's last lines, masked.
 */
export async function runInstaller(run: InstallerRun, host: Pick<Host, 'run'>): Promise<InstallerOutput> {
  const secrets = secretsOfInstallConfig(run.installConfigYaml);
  await assertVersion(run, host);
  const folder = await mkdtemp(join(run.workFolder, 'edgefab-install-'));
  try {
    await chmod(folder, 0o700);
    await writeFile(join(folder, 'install-config.yaml'), run.installConfigYaml, { mode: 0o600 });
    const { exitCode, stdout, stderr } = await host.run(run.installer, [
      'create',
      'single-node-ignition-config',
      '--dir',
      folder,
    ]);
    if (exitCode !== 0) {
      throw new EdgefabError(
        `the installer ${run.installer} ended with status ${exitCode ?? 'none (killed)'}:\n${printable(`${stdout}\n${stderr}`, secrets)}`,
        { code: 'TOOL_FAILED', suggestions: ['Mend the install-config as the lines above say'] },
      );
    }
    return {
      ignition: await output(folder, run, 'bootstrap-in-place-for-live-iso.ign'),
      kubeconfig: await output(folder, run, 'auth/kubeconfig'),
      kubeadminPassword: (await output(folder, run, 'auth/kubeadmin-password')).toString('utf8').trim(),
    };
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

async function output(folder: string, run: InstallerRun, name: string): Promise<Buffer> {
  try {
    return await readFile(join(folder, name));
  } catch (cause) {
    throw new EdgefabError(`the installer ${run.installer} ended well, but made no ${name}`, {
      code: 'TOOL_FAILED',
      suggestions: ['Check that the program is openshift-install 4.12 or newer'],
      cause,
    });
  }
}
