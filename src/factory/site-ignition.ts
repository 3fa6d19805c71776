import { mkdir, readFile, rename } from 'node:fs/promises';
import { join } from 'node:path';
import type { Ignition } from '../boot/ignition/ignition.ts';
import { diffLines } from '../boot/ignition/line-diff.ts';
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
/** What it was made from, with secrets masked. */
const SHOWN_CONFIG = 'install-config.yaml';
const SHOWN_LINES = 20;
/** The one before the last renewal: it has the keys of a cluster that may be running. */
const FORGOTTEN = 'unpatched.before-renewal.ign';

export interface SiteIgnitionOptions {
  readonly lock: Lock;
  /** The registry on the machine, in registry mode. */
  readonly registry?: InstallConfigRegistry;
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
  { lock, registry }: SiteIgnitionOptions,
  host: Pick<Host, 'run' | 'env'>,
): Promise<Ignition> {
  if (site.ignition !== undefined) return await loadIgnition(site.ignition);
  const kept = join(folder, KEPT);
  try {
    const ignition = await loadIgnition(kept);
    // What is compared is masked: any pull secret does.
    await refuseStale(site, folder, await installConfigOf(factory, site, registry, '{"auths":{}}'));
    return ignition;
  } catch (error) {
    if (!(error instanceof EdgefabError) || !hasCode(error.cause, 'ENOENT')) throw error;
  }
  const installConfigYaml = await installConfigOf(
    factory,
    site,
    registry,
    await pullSecretText(factory, host),
  );
  await mkdir(folder, { recursive: true, mode: 0o700 });
  const made = await runInstaller(
    {
      installConfigYaml,
      workFolder: folder,
      ...installerOf(factory, lock),
    },
    host,
  );
  await writeFileDurably(join(folder, SHOWN_CONFIG), maskInstallConfig(installConfigYaml), 0o600);
  await writeFileDurably(join(folder, 'kubeconfig'), made.kubeconfig, 0o600);
  await writeFileDurably(join(folder, 'kubeadmin-password'), made.kubeadminPassword, 0o600);
  await writeFileDurably(kept, made.ignition, 0o600);
  return await loadIgnition(kept);
}

/** Writes what the installer is to be given for a site. */
async function installConfigOf(
  factory: Factory,
  site: Site,
  registry: InstallConfigRegistry | undefined,
  pullSecret: string,
): Promise<string> {
  const need = (field: string): EdgefabError =>
    new EdgefabError(
      `${factory.file} has no ${field}: site ${site.name} has no ready ignition, so the installer is to make one`,
      {
        code: 'FACTORY_INVALID',
        suggestions: [`Add ${field}, or give the site a ready one with ignition: FILE`],
        place: { file: factory.file, field },
      },
    );
  const { installDisk, domain } = site;
  if (factory.installConfig === undefined) throw need('installConfig');
  if (domain === undefined) throw need('domain');
  if (installDisk === undefined) throw need('installDisk');
  return renderInstallConfig(await readText(factory.installConfig), {
    clusterName: site.clusterName,
    domain,
    installDisk: 'path' in installDisk ? installDisk.path : `/dev/disk/by-id/${installDisk.byId}`,
    pullSecret,
    sshKeys: await Promise.all(
      factory.sshKeys.map(async (key) => (typeof key === 'string' ? key : (await readText(key.file)).trim())),
    ),
    ...(registry === undefined ? {} : { registry }),
  });
}

/**
 * Refuses a kept Ignition that was made from another install-config: what was changed since would silently not be on the
 * stick. One without the install-config beside it is taken as it is. Throws IGNITION_STALE naming the lines.
 */
async function refuseStale(site: Site, folder: string, wantedYaml: string): Promise<void> {
  const path = join(folder, SHOWN_CONFIG);
  const wanted = maskInstallConfig(wantedYaml);
  const made = await readFile(path, 'utf8').catch((error: unknown) => {
    if (hasCode(error, 'ENOENT')) return undefined;
    throw error;
  });
  if (made === undefined || made === wanted) return;
  const changed = diffLines(made, wanted);
  throw new EdgefabError(
    `site ${site.name}: its kept Ignition was made from another install-config:\n${changed.slice(0, SHOWN_LINES).join('\n')}`,
    {
      code: 'IGNITION_STALE',
      suggestions: [
        `Have openshift-install make a new one, with new keys: the same command with --renew`,
        'Or undo the change in the factory, its install-config or its lock',
      ],
      place: { file: path },
    },
  );
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

/** Puts the Ignition kept for a site aside, so that the installer makes a new one, with new keys. */
export async function forgetIgnition(folder: string): Promise<void> {
  try {
    await rename(join(folder, KEPT), join(folder, FORGOTTEN));
  } catch (error) {
    if (!hasCode(error, 'ENOENT')) throw error;
  }
}
