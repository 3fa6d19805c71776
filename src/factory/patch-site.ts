import { createHash } from 'node:crypto';
import { join } from 'node:path';
import type { Extension } from '../boot/certs/extend-certificates.ts';
import { makeRegistryCa, registryValidity } from '../boot/certs/registry-ca.ts';
import { withFile } from '../boot/ignition/edit-ignition.ts';
import type { Ignition } from '../boot/ignition/ignition.ts';
import { serializeIgnition } from '../boot/ignition/parse-ignition.ts';
import type { InstallConfigRegistry } from '../boot/install-config/registry-fields.ts';
import type { IsoFeatures } from '../boot/iso/iso-image.ts';
import { patchIgnition } from '../boot/patch/patch-ignition.ts';
import type { RegistryCertificates } from '../boot/patch/registry-certificates.ts';
import type { StepReport } from '../boot/patch/step.ts';
import { EdgefabError } from '../errors.ts';
import type { Host } from '../host/host.ts';
import { type Lock, lockId } from '../mirror/resolve/lock.ts';
import { digestOf } from '../oci/digest.ts';
import { buildId, type Json } from './build-id.ts';
import { keptBuildTime } from './build-time.ts';
import { extendFor, extendKept } from './extend-site.ts';
import type { Factory } from './factory.ts';
import { readImageSet } from './mirror-request.ts';
import { type NetworkPlan, planNetwork } from './plan-network.ts';
import { readText } from './read-text.ts';
import { catalogsOf, type RegistryContent, registryContent } from './registry-delivery.ts';
import { registryCa, registryCaFolder, registryLeaf } from './registry-trust.ts';
import type { Site } from './site.ts';
import { siteIgnition } from './site-ignition.ts';
import { sitePatch } from './site-patch.ts';
import { EDGEFAB_VERSION } from './version.ts';

/** A site's config as its machine will get it, and how it came about. */
export interface PatchedSite {
  readonly ignition: Ignition;
  readonly report: readonly StepReport[];
  readonly buildId: string;
  readonly network: NetworkPlan;
  readonly warnings: readonly string[];
}

export interface PatchSiteOptions {
  readonly lock: Lock;
  /** Undefined while there is no cache yet. */
  readonly cacheId: string | undefined;
  readonly features: Pick<IsoFeatures, 'liveInitrdNetwork'>;
  /** Has the installer make a new Ignition in place of the one kept. */
  readonly renew?: boolean;
}

/** What of a build is made once and kept: by `patchSite` in the output folder, by `previewSite` nowhere. */
interface Made {
  readonly buildTime: Date;
  readonly caPem: () => Promise<string>;
  readonly certificates: () => Promise<RegistryCertificates>;
  readonly unpatched: (registry: InstallConfigRegistry | undefined) => Promise<Ignition>;
  /** The config with certificates that last as long as the site wants. */
  readonly extended: (unpatched: Ignition) => Promise<Pick<Extension, 'ignition' | 'warnings'>>;
}

/**
 * Patches a site's Ignition, ready, kept or made by openshift-install, with all that its keys ask for. What is made
 * for it (build time, CA, certificate, Ignition) is kept in the output folder and used again. Throws what the
 * installer, the steps and the site's own files throw.
 */
export async function patchSite(
  factory: Factory,
  site: Site,
  options: PatchSiteOptions,
  host: Pick<Host, 'run' | 'env' | 'now' | 'randomBytes'>,
): Promise<PatchedSite> {
  const { lock, renew = false } = options;
  const { out } = factory.paths;
  const folder = join(out, site.name);
  const buildTime = await keptBuildTime(out, renew, host);
  const ca = () => registryCa(registryCaFolder(factory), buildTime, host);
  return await patched(factory, site, options, {
    buildTime,
    caPem: async () => (await ca()).certPem,
    certificates: async () => await registryLeaf(folder, await ca(), host),
    unpatched: async (registry) =>
      await siteIgnition(
        factory,
        site,
        folder,
        { lock, renew, ...(registry === undefined ? {} : { registry }) },
        host,
      ),
    extended: (unpatched) => extendKept(unpatched, site, folder, buildTime),
  });
}

/** Patches a ready Ignition of a site as a preview: same sizes, other certificates, nothing kept. */
export async function previewSite(
  factory: Factory,
  site: Site,
  unpatched: Ignition,
  options: PatchSiteOptions,
  host: Pick<Host, 'now' | 'randomBytes'>,
): Promise<PatchedSite> {
  const buildTime = host.now();
  // One key stands for both: a preview is measured and thrown away.
  const { certPem, keyPem } = makeRegistryCa(registryValidity(buildTime), host);
  return await patched(factory, site, options, {
    buildTime,
    caPem: async () => certPem,
    certificates: async () => ({ caPem: certPem, certificatePem: certPem, keyPem }),
    unpatched: async () => unpatched,
    extended: async () => extendFor(unpatched, site, buildTime),
  });
}

async function patched(
  factory: Factory,
  site: Site,
  { lock, cacheId, features }: PatchSiteOptions,
  made: Made,
): Promise<PatchedSite> {
  const imageSets = factory.imageSet === undefined ? [] : [(await readImageSet(factory.imageSet)).imageSet];
  const content = (): RegistryContent => registryContent(lock, catalogsOf(imageSets));
  const network = planNetwork(site, features);
  const unpatched = await made.unpatched(
    site.cache.mode === 'registry'
      ? {
          mirrors: content().repositories,
          trustBundlePem: await made.caPem(),
          releaseVersion: releaseVersion(factory, lock),
        }
      : undefined,
  );
  const extended = await made.extended(unpatched);
  const id = buildId({
    lock: lockId(lock),
    writer: EDGEFAB_VERSION,
    ignition: createHash('sha256').update(serializeIgnition(unpatched)).digest('hex'),
    buildTime: made.buildTime.toISOString(),
    site: await publicParts(site),
  });
  const options = await sitePatch(factory, site, lock, {
    unpatched: extended.ignition,
    keyfiles: network.keyfiles,
    cacheId,
    buildId: id,
    buildTime: made.buildTime,
    certificates: made.certificates,
    content,
  });
  const { ignition, report } = await patchIgnition(extended.ignition, options);
  const marked = withFile(ignition, {
    path: '/etc/edgefab/build.json',
    mode: 0o644,
    text: `${JSON.stringify({ buildId: id, site: site.name, lock: lockId(lock), cacheId })}\n`,
  });
  return {
    ignition: marked,
    report,
    buildId: id,
    network,
    warnings: extended.warnings,
  };
}

function releaseVersion({ file, release }: Factory, lock: Lock): string {
  const version = lock.release?.version ?? release.version;
  if (version !== undefined) return version;
  throw new EdgefabError(`${file} does not say which release it installs, nor does its lock`, {
    code: 'FACTORY_INVALID',
    suggestions: ['Add release.version, for example 4.18.9'],
    place: { file, field: 'release.version' },
  });
}

/**
 * What of a site shapes its build and may be told: no secret, and no path, which differs from machine to machine. The
 * user's own files are named by their sha256.
 */
async function publicParts(site: Site): Promise<Json> {
  const { place: _place, ignition: _ignition, overlays, manifests, ...parts } = site;
  const digests = (paths: readonly string[]): Promise<string[]> =>
    Promise.all(paths.map(async (path) => digestOf(Buffer.from(await readText(path, site.place)))));
  const own = { overlays: await digests(overlays), manifests: await digests(manifests) };
  return JSON.parse(JSON.stringify({ ...parts, ...own })) as Json;
}
