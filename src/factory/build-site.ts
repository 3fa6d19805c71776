import { X509Certificate } from 'node:crypto';
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { assertShelfLife, daysAndHours, type ShelfLife, shelfLifeOf } from '../boot/certs/shelf-life.ts';
import { serializeIgnition } from '../boot/ignition/parse-ignition.ts';
import { buildSiteIso, type IsoReceipt } from '../boot/iso/build-site-iso.ts';
import { assertSpace } from '../disk/cache/folder-space.ts';
import { EdgefabError } from '../errors.ts';
import type { Host } from '../host/host.ts';
import { type ImageRole, lockId } from '../mirror/resolve/lock.ts';
import { holdFile } from '../mirror/store/hold-file.ts';
import { writeFileDurably } from '../mirror/store/write-file-durably.ts';
import type { CoverageReport } from './coverage.ts';
import { earlierReceipt, finishedReceipt } from './finished-receipt.ts';
import type { Build } from './open-build.ts';
import { type IdentifiedSite, identifySite, type PatchedSite } from './patch-site.ts';
import { takeOverKargs } from './plan-network.ts';
import type { Receipt } from './receipt/receipt.ts';
import { signReceipt } from './receipt/sign-receipt.ts';
import { refuseUnsupported } from './refuse-unsupported.ts';
import type { Site } from './site.ts';
import { assertCovered } from './site-coverage.ts';
import { EDGEFAB_VERSION } from './version.ts';

/** The receipt of what was built for one site; `kept`: an earlier run had built exactly this. */
export interface SiteOutcome {
  readonly state: 'built' | 'kept';
  readonly receipt: Receipt;
}

export interface BuildSiteOptions {
  /** Roles whose images may be missing from the cache; the site then needs a network for them. */
  readonly allowMissing?: readonly ImageRole[];
  /** Builds a stick whose certificates end before its shelf life does. */
  readonly allowShortLife?: boolean;
  /** Leaves a site alone that an earlier run finished: same build id, same inputs, and the ISO's sha256 as it was. */
  readonly keepFinished?: boolean;
}

/** What is kept open for each site: one process at a time builds it. */
const LOCK_FILE = '.lock';
/** Beside the ISO. */
const RECEIPT_FILE = 'receipt.json';

/**
 * Builds one site's boot stick image and receipt into `out/SITE/`. Throws SITE_BUSY while another process does, what
 * patching throws, CACHE_INCOMPLETE naming the first image that is not there, SPACE_SHORT.
 */
export async function buildSite(
  build: Build,
  site: Site,
  options: BuildSiteOptions,
  host: Pick<Host, 'run' | 'env' | 'now' | 'randomBytes'>,
): Promise<SiteOutcome> {
  refuseUnsupported(site);
  const folder = join(build.factory.paths.out, site.name);
  await mkdir(folder, { recursive: true, mode: 0o700 });
  using held = await holdFile(join(folder, LOCK_FILE));
  if (held === undefined) {
    throw new EdgefabError(`site ${site.name} is being built by another edgefab, in ${folder}`, {
      code: 'SITE_BUSY',
      suggestions: ['Wait for it to end; give each shard of a batch an index of its own'],
      place: { file: folder },
    });
  }
  return await buildHeld(build, site, folder, options, host);
}

async function buildHeld(
  build: Build,
  site: Site,
  folder: string,
  { allowMissing = [], allowShortLife = false, keepFinished = false }: BuildSiteOptions,
  host: Pick<Host, 'run' | 'env' | 'now' | 'randomBytes'>,
): Promise<SiteOutcome> {
  const { factory, lock, cache, liveIso, buildTime } = build;
  const shelf = { now: host.now(), shelfLifeMs: site.certificates.shelfLifeMs };
  const { features, sizeBytes } = liveIso.image;
  const options = { lock, cacheId: cache.cacheId, features, buildTime };
  const identified = await identifySite(factory, site, options, host);
  const inputs = await inputsOf(build, identified);
  if (keepFinished) {
    const wanted = { buildId: identified.buildId, cacheId: cache.cacheId, inputs, allowShortLife, shelf };
    const receipt = await finishedReceipt(join(folder, RECEIPT_FILE), wanted, build);
    if (receipt !== undefined) return { state: 'kept', receipt };
  }
  await assertSpace(folder, sizeBytes);
  const patched = await identified.patch();
  if (!allowShortLife) assertShelfLife(patched.ignition, shelf);
  const coverage = await assertCovered(patched.ignition, site, lock, factory.paths.cache, allowMissing);
  const built = await embed(build, site, patched, folder, host);
  const described = describe(build, site, { patched, inputs, coverage, built, shelf });
  const { signingKey } = build;
  const path = join(folder, RECEIPT_FILE);
  const receipt = withSticks(
    signingKey === undefined ? described : signReceipt(described, signingKey),
    await earlierReceipt(path),
  );
  await writeFileDurably(path, `${JSON.stringify(receipt, null, 2)}\n`);
  return { state: 'built', receipt };
}

/** Which sticks a site was given stays known when it is built again; each says which ISO it has. */
function withSticks(receipt: Receipt, earlier: Receipt | undefined): Receipt {
  return earlier?.sticks === undefined ? receipt : { ...receipt, sticks: earlier.sticks };
}

async function inputsOf(
  build: Build,
  { ignitionSha256, overlays, manifests, registryCaPem }: IdentifiedSite,
): Promise<Receipt['inputs']> {
  return {
    lock: lockId(build.lock),
    imageSet: build.lock.inputs.imageSet,
    ignition: ignitionSha256,
    liveIso: await build.liveIsoInput(),
    overlays: [...overlays],
    manifests: [...manifests],
    registryCa:
      registryCaPem === undefined
        ? null
        : new X509Certificate(registryCaPem).fingerprint256.replaceAll(':', '').toLowerCase(),
  };
}

/** A site's ISO, and its sha256 in hex. */
interface EmbeddedSite {
  readonly receipt: IsoReceipt;
  readonly sha256: string;
}

async function embed(
  { liveIso, hasher }: Build,
  site: Site,
  { ignition, network }: PatchedSite,
  folder: string,
  host: Pick<Host, 'randomBytes'>,
): Promise<EmbeddedSite> {
  const { image } = liveIso;
  const kargs = {
    append: [...network.kargs, ...takeOverKargs(network, ignition), ...site.kargs.append],
    delete: site.kargs.delete,
  };
  let digest: string | undefined;
  const receipt = await buildSiteIso(
    {
      source: liveIso,
      target: join(folder, `${site.name}.iso`),
      ignition: serializeIgnition(ignition),
      ...(network.networkFiles === undefined ? {} : { networkFiles: network.networkFiles }),
      // An image without an area for them is still good for a site that needs none.
      ...(image.kargs === undefined && kargs.append.length + kargs.delete.length === 0 ? {} : { kargs }),
      overwrite: true,
      onChecked: async ({ path, regions, sharesBlocks }) => {
        // Shared blocks are in memory once, as the source's: read through the copy they would come from the disk again.
        digest = sharesBlocks
          ? await hasher.hashPatched(image.path, regions)
          : await hasher.hash(path, () => undefined);
      },
    },
    host,
  );
  if (digest === undefined) throw new RangeError('a copy that was not checked got its name');
  return { receipt, sha256: digest.slice('sha256:'.length) };
}

interface BuiltSite {
  readonly patched: PatchedSite;
  readonly inputs: Receipt['inputs'];
  readonly coverage: CoverageReport;
  readonly built: EmbeddedSite;
  readonly shelf: { readonly now: Date; readonly shelfLifeMs: number | undefined };
}

function describe(
  { cache, buildTime }: Build,
  site: Site,
  { patched, inputs, coverage, built, shelf }: BuiltSite,
): Receipt {
  const { network, report, warnings } = patched;
  const life = shelfLifeOf(patched.ignition, shelf);
  const { ignition, kargs, sizeBytes } = built.receipt;
  return {
    apiVersion: 'edgefab.io/v1',
    kind: 'Receipt',
    site: site.name,
    buildId: patched.buildId,
    buildTime: buildTime.toISOString(),
    writer: `edgefab/${EDGEFAB_VERSION}`,
    cacheId: cache.cacheId,
    inputs,
    iso: {
      file: `${site.name}.iso`,
      sizeBytes,
      sha256: built.sha256,
      ...(ignition === undefined ? {} : { ignition: { ...ignition, files: [...ignition.files] } }),
      kargs: kargs?.after ?? '',
      kargsBudget:
        kargs === undefined ? null : { usedBytes: kargs.usedBytes, capacityBytes: kargs.capacityBytes },
    },
    network: { way: network.way, files: network.keyfiles.map(({ name }) => name) },
    patch: report.map(({ name, why, changes, skipped, warnings: own }) => ({
      name,
      why,
      changes: [...changes],
      ...(skipped === undefined ? {} : { skipped }),
      ...(own === undefined ? {} : { warnings: [...own] }),
    })),
    certificates:
      life.state === 'none'
        ? null
        : {
            notAfter: life.horizon.notAfter.toISOString(),
            path: life.horizon.certificates[0]?.path ?? '',
          },
    coverage: {
      images: coverage.images,
      allowed: coverage.allowed.map(({ neededBy, ...gap }) => ({ ...gap, neededBy: [...neededBy] })),
    },
    warnings: [...warnings, ...lifeWarnings(life)],
  };
}

/** What a stick that was built all the same must say. */
function lifeWarnings(life: ShelfLife): string[] {
  if (life.state === 'none' || life.state === 'enough') return [];
  const when = life.horizon.notAfter.toISOString();
  return [
    life.state === 'ended'
      ? `the certificates inside ended at ${when}: this stick will not install; make a new Ignition`
      : `the certificates inside end at ${when}, in ${daysAndHours(life.leftMs)}: boot this stick before then`,
  ];
}
