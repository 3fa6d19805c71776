import { createHash } from 'node:crypto';
import { dirname, join } from 'node:path';
import { loadRegistryCa } from '../boot/certs/registry-ca-folder.ts';
import type { Ignition } from '../boot/ignition/ignition.ts';
import { type PatchOptions, type PatchResult, patchIgnition } from '../boot/patch/patch-ignition.ts';
import { type RegistryMade, registryMade } from '../boot/patch/registry-made.ts';
import { REGISTRY_PORT } from '../boot/patch/registry-settings.ts';
import { buildIdOf } from '../boot/patch/site-settings.ts';
import { EdgefabError } from '../errors.ts';
import type { Host } from '../host/host.ts';
import { type Lock, lockId } from '../mirror/resolve/lock.ts';
import { loadCacheFile } from '../mirror/store/cache-file.ts';
import { storePaths } from '../mirror/store/store-paths.ts';
import { buildId } from './build-id.ts';
import { heldCatalogs } from './held-catalogs.ts';
import { preloadImages } from './preload-images.ts';
import { registryContent } from './registry-delivery.ts';
import { registryCa, registryLeaf } from './registry-trust.ts';
import { loadLock } from './resolve-lock.ts';
import { EDGEFAB_VERSION } from './version.ts';

/** What `ignition patch` is told, without a factory. */
export interface PlainPatch {
  readonly hostname: string;
  readonly cacheMode: 'preload' | 'registry';
  /** A complete cache; without one nothing is served or loaded. */
  readonly cache?: string;
  readonly cacheLabel: string;
  readonly savePartlabel: string;
  /** The release, where the lock of the cache does not say. */
  readonly release?: string;
  /** The folder of the registry's CA; made beside the output when it is not given. */
  readonly registryCa?: string;
  /** Where the patched config will be written. */
  readonly output: string;
  readonly installDisk?: string;
  readonly location: 'usb' | 'installDisk';
  /** Has the report tell each step at length. */
  readonly explain?: boolean;
}

/**
 * Patches a config without a factory. What is made for it (CA, certificate, times) is taken from the config when it
 * was patched before, so that patching twice is patching once. Throws CACHE_INCOMPLETE, and what the steps throw.
 */
export async function patchPlain(
  ignition: Ignition,
  options: PlainPatch,
  host: Pick<Host, 'now' | 'randomBytes'>,
): Promise<PatchResult> {
  const cache = options.cache === undefined ? undefined : await completeCache(options.cache);
  const version = options.release ?? cache?.lock.release?.version;
  const common: PatchOptions = {
    hostname: options.hostname,
    build: {
      site: options.hostname,
      buildId: buildIdOf(ignition) ?? newBuildId(ignition, options, cache?.lock),
      location: options.location,
      installDisk: options.installDisk,
    },
    cacheMode: options.cacheMode,
    cacheLabel: options.cacheLabel,
    savePartlabel: options.savePartlabel,
    explain: options.explain ?? false,
    ...(version === undefined ? {} : { version }),
    ...(cache === undefined ? {} : { cacheId: cache.cacheId }),
  };
  if (options.cacheMode === 'preload') {
    const images = cache === undefined ? undefined : preloadImages(cache.lock);
    return await patchIgnition(ignition, { ...common, images });
  }
  if (cache === undefined) return await patchIgnition(ignition, common);
  const { tool, repositories, tagged, catalogs } = registryContent(
    cache.lock,
    await heldCatalogs(cache.folder, cache.lock),
  );
  const made = (await madeBefore(ignition, options, host)) ?? (await makeRegistry(options, host));
  return await patchIgnition(ignition, {
    ...common,
    registry: {
      settings: {
        port: REGISTRY_PORT,
        cacheLabel: options.cacheLabel,
        cacheId: cache.cacheId,
        tool,
        keepOnNode: true,
        buildTime: made.buildTime,
      },
      certificates: made.certificates,
      repositories,
      tagged,
      catalogs,
    },
  });
}

/** What an earlier patch made; refused where its CA is not the one that is named now: the node would trust another. */
async function madeBefore(
  ignition: Ignition,
  { registryCa: folder }: PlainPatch,
  host: Pick<Host, 'now'>,
): Promise<RegistryMade | undefined> {
  const made = registryMade(ignition);
  if (made === undefined || folder === undefined) return made;
  const named = await loadRegistryCa(folder, host);
  if (named === undefined || named.certPem.trim() === made.certificates.caPem.trim()) return made;
  throw new EdgefabError(
    `${ignition.where} was patched with another registry CA than the one in ${folder}: a node trusts one of them only`,
    {
      code: 'REGISTRY_CA_MISMATCH',
      suggestions: ['Patch the Ignition config as openshift-install wrote it, or leave --registry-ca out'],
      place: { file: ignition.where },
    },
  );
}

function newBuildId(ignition: Ignition, { hostname }: PlainPatch, lock: Lock | undefined): string {
  return buildId({
    lock: lock === undefined ? null : lockId(lock),
    writer: EDGEFAB_VERSION,
    ignition: createHash('sha256').update(ignition.text).digest('hex'),
    hostname,
  });
}

async function makeRegistry(
  options: PlainPatch,
  host: Pick<Host, 'now' | 'randomBytes'>,
): Promise<RegistryMade> {
  const beside = join(dirname(options.output), 'registry-ca');
  const buildTime = new Date(Math.floor(host.now().getTime() / 1000) * 1000);
  const ca = await registryCa(options.registryCa ?? beside, buildTime, host);
  return { buildTime, certificates: await registryLeaf(beside, ca, host) };
}

/** A node told to use images that are not there would wait for ever, so only a complete cache will do. */
async function completeCache(folder: string): Promise<{ folder: string; cacheId: string; lock: Lock }> {
  const cache = await loadCacheFile(folder);
  const lock = await loadLock(storePaths.lock(folder));
  if (cache?.state !== 'complete' || lock === undefined) {
    throw new EdgefabError(`${folder} is not a complete edgefab cache`, {
      code: 'CACHE_INCOMPLETE',
      suggestions: ['Run edgefab precache until it ends with status 0, then this command again'],
      place: { file: folder },
    });
  }
  return { folder, cacheId: cache.cacheId, lock };
}
