import { X509Certificate } from 'node:crypto';
import { mkdir, readdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { assertShelfLife, daysAndHours, type ShelfLife, shelfLifeOf } from '../boot/certs/shelf-life.ts';
import { assertSpace } from '../disk/cache/folder-space.ts';
import { EdgefabError } from '../errors.ts';
import type { Host } from '../host/host.ts';
import { type ImageRole, lockId } from '../mirror/resolve/lock.ts';
import { holdFile } from '../mirror/store/hold-file.ts';
import { writeFileDurably } from '../mirror/store/write-file-durably.ts';
import type { CoverageReport } from './coverage.ts';
import { type EmbeddedSite, embedSite } from './embed-site.ts';
import { earlierReceipt, finishedReceipt } from './finished-receipt.ts';
import type { Build } from './open-build.ts';
import { type IdentifiedSite, identifySite, type PatchedSite } from './patch-site.ts';
import { holdReceipt } from './receipt/hold-receipt.ts';
import { RECEIPT_FILE, type Receipt } from './receipt/receipt.ts';
import { signReceipt } from './receipt/sign-receipt.ts';
import { refuseUnsupported } from './refuse-unsupported.ts';
import type { Site } from './site.ts';
import { assertCovered } from './site-coverage.ts';
import type { SpilledSite } from './spill/spill-site.ts';
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
  /** Moves bulk files to the cache when the config does not fit the embed area; without it that is refused. */
  readonly spill?: boolean;
}

/** What is kept open for each site: one process at a time builds it. */
const LOCK_FILE = '.lock';

/**
 * Builds one site's boot stick image and receipt into `out/SITE/`. Throws SITE_BUSY while another process does, what
 * patching throws, CACHE_INCOMPLETE naming the first image that is not there, SPACE_SHORT, EMBED_AREA_FULL.
 */
export async function buildSite(
  build: Build,
  site: Site,
  options: BuildSiteOptions,
  host: Pick<Host, 'run' | 'env' | 'now' | 'randomBytes' | 'sleep'>,
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
  await removeTemporaries(folder, host);
  return await buildHeld(build, site, folder, options, host);
}

/** What a killed run was writing, keys among it; nobody else is at work in the folder now. */
async function removeTemporaries(folder: string, host: Pick<Host, 'sleep'>): Promise<void> {
  // Whoever adds to the receipt writes it under such a name too.
  using _receipt = await holdReceipt(folder, host);
  for (const name of await readdir(folder))
    if (/\.[0-9]+\.tmp$/.test(name)) await rm(join(folder, name), { force: true });
}

async function buildHeld(
  build: Build,
  site: Site,
  folder: string,
  { allowMissing = [], allowShortLife = false, keepFinished = false, spill = false }: BuildSiteOptions,
  host: Pick<Host, 'run' | 'env' | 'now' | 'randomBytes' | 'sleep'>,
): Promise<SiteOutcome> {
  const { factory, lock, cache, liveIso, buildTime } = build;
  const shelf = { now: host.now(), shelfLifeMs: site.certificates.shelfLifeMs };
  const { features, sizeBytes } = liveIso.image;
  const options = { lock, cacheId: cache.cacheId, features, buildTime };
  const identified = await identifySite(factory, site, options, host);
  const inputs = await inputsOf(build, identified);
  if (keepFinished) {
    const { buildId } = identified;
    const wanted = { buildId, cacheId: cache.cacheId, inputs, allowShortLife, allowMissing, shelf };
    const receipt = await finishedReceipt(join(folder, RECEIPT_FILE), wanted, build);
    if (receipt !== undefined) return { state: 'kept', receipt };
  }
  await assertSpace(folder, sizeBytes);
  const patched = await identified.patch();
  if (!allowShortLife) assertShelfLife(patched.ignition, shelf);
  const coverage = await assertCovered(patched.ignition, site, lock, factory.paths.cache, allowMissing);
  const embedded = await embedSite(build, site, patched, { folder, spill }, host);
  const described = describe(build, site, { patched, inputs, coverage, embedded, shelf });
  const { signingKey } = build;
  const path = join(folder, RECEIPT_FILE);
  // A stick that is written now must not be lost between reading and writing.
  using _receipt = await holdReceipt(folder, host);
  const receipt = withSticks(
    signingKey === undefined ? described : signReceipt(described, signingKey),
    await earlierReceipt(path),
  );
  await writeFileDurably(path, `${JSON.stringify(receipt, null, 2)}\n`);
  return { state: 'built', receipt };
}

/**
 * Which sticks a site was given stays known when it is built again; each says which ISO it has. What was rehearsed was
 * another build.
 */
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

interface BuiltSite {
  readonly patched: PatchedSite;
  readonly inputs: Receipt['inputs'];
  readonly coverage: CoverageReport;
  readonly embedded: EmbeddedSite;
  readonly shelf: { readonly now: Date; readonly shelfLifeMs: number | undefined };
}

function describe(
  { cache, buildTime }: Build,
  site: Site,
  { patched, inputs, coverage, embedded, shelf }: BuiltSite,
): Receipt {
  const { network, warnings } = patched;
  const { iso: built, sha256, spilled } = embedded;
  const report = [...patched.report, ...(spilled === undefined ? [] : [spilled.report])];
  const life = shelfLifeOf(patched.ignition, shelf);
  const { ignition, kargs, sizeBytes } = built;
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
      sha256,
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
    ...(spilled === undefined
      ? {}
      : { spilled: spilled.files.map(({ path, sha256, sizeBytes }) => ({ path, sha256, sizeBytes })) }),
    warnings: [...warnings, ...lifeWarnings(life), ...spillWarnings(spilled?.files ?? [])],
  };
}

/** A cache disk that was filled before does not have what this stick needs. */
function spillWarnings(files: SpilledSite['files']): string[] {
  if (files.length === 0) return [];
  const bytes = files.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0);
  return [
    `${files.length} files (${bytes} bytes) do not fit on the stick and were written to files/ of the cache: a cache disk that was copied before needs them too`,
  ];
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
