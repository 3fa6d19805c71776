import { mkdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Ignition } from '../boot/ignition/ignition.ts';
import { loadIgnition } from '../boot/ignition/load-ignition.ts';
import { maskInstallConfig } from '../boot/install-config/mask-install-config.ts';
import type { InstallConfigRegistry } from '../boot/install-config/registry-fields.ts';
import { renderInstallConfig } from '../boot/install-config/render-install-config.ts';
import { runInstaller } from '../boot/install-config/run-installer.ts';
import { EdgefabError, hasCode } from '../errors.ts';
import type { Host } from '../host/host.ts';
import type { Lock } from '../mirror/resolve/lock.ts';
import { writeFileDurably } from '../mirror/store/write-file-durably.ts';
import type { Factory } from './factory.ts';
import { installerOf } from './installer-of.ts';
import { readText } from './read-text.ts';
import type { Site } from './site.ts';

/** The unpatched Ignition of a site, kept with its output so that a rebuild has the same keys. Mode 0600. */
const KEPT = 'unpatched.ign';

export interface SiteIgnitionOptions {
  readonly lock: Lock;
  /** The registry on the machine, in registry mode. */
  readonly registry?: InstallConfigRegistry;
  /** Has the installer make a new one, with new keys, in place of the one kept. */
  readonly renew?: boolean;
}

/**
 * Gets a site's unpatched Ignition: the ready one it names, the one kept from an earlier build, or a new one made
 * by openshift-install, which is then kept. Throws what those throw, FACTORY_INVALID when the factory lacks
 * what the installer needs.
 */
export async function siteIgnition(
  factory: Factory,
  site: Site,
  folder: string,
  { lock, registry, renew = false }: SiteIgnitionOptions,
  host: Pick<Host, 'run' | 'env'>,
): Promise<Ignition> {
  if (site.ignition !== undefined) return await loadIgnition(site.ignition);
  const kept = join(folder, KEPT);
  try {
    if (!renew) return await loadIgnition(kept);
  } catch (error) {
    if (!(error instanceof EdgefabError) || !hasCode(error.cause, 'ENOENT')) throw error;
  }
  const need = (field: string): EdgefabError =>
    new EdgefabError(
      `${factory.file} has no ${field}: site ${site.name} has no ready ignition, so the installer is to make one`,
      {
        code: 'FACTORY_INVALID',
        suggestions: [`Add ${field}, or give the site a ready one with ignition: FILE`],
        place: { file: factory.file, field },
      },
    );
  if (factory.installConfig === undefined) throw need('installConfig');
  if (site.domain === undefined) throw need('domain');
  if (site.installDisk === undefined) throw need('installDisk');
  const { installDisk } = site;
  const installConfigYaml = renderInstallConfig(await readText(factory.installConfig), {
    clusterName: site.clusterName,
    domain: site.domain,
    installDisk: 'path' in installDisk ? installDisk.path : `/dev/disk/by-id/${installDisk.byId}`,
    pullSecret: await pullSecretText(factory, host),
    sshKeys: await Promise.all(
      factory.sshKeys.map(async (key) => (typeof key === 'string' ? key : (await readText(key.file)).trim())),
    ),
    ...(registry === undefined ? {} : { registry }),
  });
  await mkdir(folder, { recursive: true, mode: 0o700 });
  const made = await runInstaller(
    {
      installConfigYaml,
      workFolder: folder,
      ...installerOf(factory, lock),
    },
    host,
  );
  await writeFileDurably(join(folder, 'install-config.yaml'), maskInstallConfig(installConfigYaml), 0o600);
  await writeFileDurably(join(folder, 'kubeconfig'), made.kubeconfig, 0o600);
  await writeFileDurably(join(folder, 'kubeadmin-password'), made.kubeadminPassword, 0o600);
  await writeFileDurably(kept, made.ignition, 0o600);
  return await loadIgnition(kept);
}

async function pullSecretText({ file, pullSecret }: Factory, host: Pick<Host, 'env'>): Promise<string> {
  if (pullSecret === undefined) {
    throw new EdgefabError(`${file} has no pullSecret, and the installer wants one`, {
      code: 'FACTORY_INVALID',
      suggestions: ['Add pullSecret: { file: pull-secret.json }'],
      place: { file, field: 'pullSecret' },
    });
  }
  if ('file' in pullSecret) return (await readFile(pullSecret.file, 'utf8')).trim();
  const text = host.env[pullSecret.env];
  if (text === undefined || text.trim() === '') {
    throw new EdgefabError(
      `the environment variable ${pullSecret.env}, which is to hold the pull secret, is not set`,
      {
        code: 'FACTORY_INVALID',
        place: { file, field: 'pullSecret.env' },
      },
    );
  }
  return text.trim();
}
