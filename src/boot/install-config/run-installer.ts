import { chmod, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { EdgefabError } from '../../errors.ts';
import type { Host } from '../../host/host.ts';
import { checkInstaller, type WantedInstaller } from './check-installer.ts';
import { MASK, secretsOfInstallConfig } from './mask-install-config.ts';

export interface InstallerRun extends WantedInstaller {
  readonly installConfigYaml: string;
  /** The release image to install in place of the installer's own, by digest. */
  readonly releaseImage?: string;
  /** Where the private folder is made, which is gone afterwards. */
  readonly workFolder: string;
}

/** What the installer made: the config's exact bytes, and the cluster's first credentials (secrets, all three). */
export interface InstallerOutput {
  readonly ignition: Uint8Array;
  readonly kubeconfig: Uint8Array;
  readonly kubeadminPassword: string;
}

/** What the installer itself calls the release image it is told to install. */
const OVERRIDE = 'OPENSHIFT_INSTALL_RELEASE_IMAGE_OVERRIDE';

/** Removes secrets from what the installer printed, and keeps the last lines. */
function printable(text: string, secrets: readonly string[]): string {
  let out = text;
  for (const secret of secrets) out = out.replaceAll(secret, MASK);
  return out.trim().split('\n').slice(-8).join('\n').slice(-2000);
}

/**
 * Runs `openshift-install create single-node-ignition-config` in a private folder that is removed afterwards.
 * Throws what `checkInstaller` throws, and TOOL_FAILED with the installer's last lines, masked.
 */
export async function runInstaller(run: InstallerRun, host: Pick<Host, 'run'>): Promise<InstallerOutput> {
  const secrets = secretsOfInstallConfig(run.installConfigYaml);
  await checkInstaller(run, host);
  const folder = await mkdtemp(join(run.workFolder, 'edgefab-install-'));
  try {
    await chmod(folder, 0o700);
    await writeFile(join(folder, 'install-config.yaml'), run.installConfigYaml, { mode: 0o600 });
    const { exitCode, stdout, stderr } = await host.run(
      run.installer,
      ['create', 'single-node-ignition-config', '--dir', folder],
      run.releaseImage === undefined ? {} : { env: { [OVERRIDE]: run.releaseImage } },
    );
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
