import { createHash } from 'node:crypto';
import { basename, join } from 'node:path';
import type { Extension } from '../boot/certs/extend-certificates.ts';
import { makeRegistryCa, registryValidity } from '../boot/certs/registry-ca.ts';
import { withFile } from '../boot/ignition/edit-ignition.ts';
import type { Ignition } from '../boot/ignition/ignition.ts';
import { serializeIgnition } from '../boot/ignition/parse-ignition.ts';
import type { InstallConfigRegistry } from '../boot/install-config/registry-fields.ts';
import type { IsoFeatures } from '../boot/iso/iso-image.ts';
import type { OwnContent } from '../boot/patch/own-content.ts';
import { patchIgnition } from '../boot/patch/patch-ignition.ts';
import type { RegistryCertificates } from '../boot/patch/registry-certificates.ts';
import type { StepReport } from '../boot/patch/step.ts';
import { EdgefabError } from '../errors.ts';
import type { Json } from '../formats/canonical-json.ts';
import type { Host } from '../host/host.ts';
import { type Lock, lockId } from '../mirror/resolve/lock.ts';
import { buildId } from './build-id.ts';
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
  /** What of the config comes from the site's overlays and manifests. */
  readonly own: OwnContent;
}

/** A file of the user's own: its name without the folder, and its sha256 in hex. */
interface OwnFile {
  readonly file: string;
  readonly sha256: string;
}

/** A site whose build has its name: what goes into it is known, and nothing is patched yet. */
export interface IdentifiedSite {
  readonly buildId: string;
  /** sha256, in hex, of the config before anything was patched. */
  readonly ignitionSha256: string;
  readonly overlays: readonly OwnFile[];
  readonly manifests: readonly OwnFile[];
  /** Of the registry on the machine; undefined in preload mode. */
  readonly registryCaPem: string | undefined;
  readonly patch: () => Promise<PatchedSite>;
}

export interface PreviewOptions {
  readonly lock: Lock;
  /** Undefined while there is no cache yet. */
  readonly cacheId: string | undefined;
  readonly features: Pick<IsoFeatures, 'liveInitrdNetwork'>;
}

export interface PatchSiteOptions extends PreviewOptions {
  readonly buildTime: Date;
}

/** What of a build is made once and kept: by `identifySite` in the output folder, by `previewSite` nowhere. */
interface Made {
  readonly buildTime: Date;
  readonly caPem: () => Promise<string>;
  readonly certificates: () => Promise<RegistryCertificates>;
  readonly unpatched: (registry: InstallConfigRegistry | undefined) => Promise<Ignition>;
  /** The config with certificates that last as long as the site wants. */
  readonly extended: (unpatched: Ignition) => Promise<Pick<Extension, 'ignition' | 'warnings'>>;
}

/**
 * Identifies a site's build from its Ignition, ready, kept or made by openshift-install, and ends in a `patch` with all
 * that its keys ask for. What is made for it (CA, certificate, Ignition) is kept in the output folder and used again.
 * Throws what the installer, the steps and the site's own files throw.
 */
export async function identifySite(
  factory: Factory,
  site: Site,
  options: PatchSiteOptions,
  host: Pick<Host, 'run' | 'env' | 'now' | 'randomBytes'>,
): Promise<IdentifiedSite> {
  const { lock, buildTime } = options;
  const folder = join(factory.paths.out, site.name);
  const ca = () => registryCa(registryCaFolder(factory), buildTime, host);
  return await identified(factory, site, options, {
    buildTime,
    caPem: async () => (await ca()).certPem,
    certificates: async () => await registryLeaf(folder, await ca(), host),
    unpatched: async (registry) =>
      await siteIgnition(
        factory,
        site,
        folder,
        { lock, ...(registry === undefined ? {} : { registry }) },
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
  options: PreviewOptions,
  host: Pick<Host, 'now' | 'randomBytes'>,
): Promise<PatchedSite> {
  const buildTime = host.now();
  // One key stands for both: a preview is measured and thrown away.
  const { certPem, keyPem } = makeRegistryCa(registryValidity(buildTime), host);
  const { patch } = await identified(factory, site, options, {
    buildTime,
    caPem: async () => certPem,
    certificates: async () => ({ caPem: certPem, certificatePem: certPem, keyPem }),
    unpatched: async () => unpatched,
    extended: async () => extendFor(unpatched, site, buildTime),
  });
  return await patch();
}

async function identified(
  factory: Factory,
  site: Site,
  { lock, cacheId, features }: PreviewOptions,
  made: Made,
): Promise<IdentifiedSite> {
  const imageSets = factory.imageSet === undefined ? [] : [(await readImageSet(factory.imageSet)).imageSet];
  const content = (): RegistryContent => registryContent(lock, catalogsOf(imageSets));
  const network = planNetwork(site, features);
  const registryCaPem = site.cache.mode === 'registry' ? await made.caPem() : undefined;
  const unpatched = await made.unpatched(
    registryCaPem === undefined
      ? undefined
      : {
          mirrors: content().repositories,
          trustBundlePem: registryCaPem,
          releaseVersion: releaseVersion(factory, lock),
        },
  );
  const ignitionSha256 = createHash('sha256').update(serializeIgnition(unpatched)).digest('hex');
  const overlays = await ownFiles(site, 'overlays');
  const manifests = await ownFiles(site, 'manifests');
  const id = buildId({
    lock: lockId(lock),
    writer: EDGEFAB_VERSION,
    ignition: ignitionSha256,
    buildTime: made.buildTime.toISOString(),
    site: publicParts(site, { overlays, manifests }),
  });
  const patch = async (): Promise<PatchedSite> => {
    const extended = await made.extended(unpatched);
    const options = await sitePatch(factory, site, lock, {
      unpatched: extended.ignition,
      keyfiles: network.keyfiles,
      cacheId,
      buildId: id,
      buildTime: made.buildTime,
      certificates: made.certificates,
      content,
    });
    const { ignition, report, own } = await patchIgnition(extended.ignition, options);
    const marked = withFile(ignition, {
      path: '/etc/edgefab/build.json',
      mode: 0o644,
      text: `${JSON.stringify({ buildId: id, site: site.name, lock: lockId(lock), cacheId })}\n`,
    });
    return { ignition: marked, report, buildId: id, network, warnings: extended.warnings, own };
  };
  return { buildId: id, ignitionSha256, overlays, manifests, registryCaPem, patch };
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

async function ownFiles(site: Site, key: 'overlays' | 'manifests'): Promise<OwnFile[]> {
  return await Promise.all(
    site[key].map(async (path) => ({
      file: basename(path),
      sha256: createHash('sha256')
        .update(await readText(path, { ...site.place, field: key }))
        .digest('hex'),
    })),
  );
}

/**
 * What of a site shapes its build and may be told: no secret, and no path, which differs from machine to machine. The
 * user's own files are named by their sha256.
 */
function publicParts(site: Site, own: Pick<IdentifiedSite, 'overlays' | 'manifests'>): Json {
  const { place: _place, ignition: _ignition, overlays: _overlays, manifests: _manifests, ...parts } = site;
  const digests = (files: readonly OwnFile[]): string[] => files.map(({ sha256 }) => `sha256:${sha256}`);
  const files = { overlays: digests(own.overlays), manifests: digests(own.manifests) };
  return JSON.parse(JSON.stringify({ ...parts, ...files })) as Json;
}
