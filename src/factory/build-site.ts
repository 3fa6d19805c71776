import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { assertShelfLife, daysAndHours, type ShelfLife, shelfLifeOf } from '../boot/certs/shelf-life.ts';
import { serializeIgnition } from '../boot/ignition/parse-ignition.ts';
import { buildSiteIso, type IsoReceipt } from '../boot/iso/build-site-iso.ts';
import { inspectIso } from '../boot/iso/inspect-iso.ts';
import type { KargsBudget } from '../boot/iso/kargs-text.ts';
import type { StepReport } from '../boot/patch/step.ts';
import { assertSpace } from '../disk/folder-space.ts';
import { EdgefabError } from '../errors.ts';
import type { Host } from '../host/host.ts';
import { type ImageRole, type Lock, lockId } from '../mirror/resolve/lock.ts';
import { assertCompleteCache } from '../mirror/store/cache-file.ts';
import { writeFileDurably } from '../mirror/store/write-file-durably.ts';
import type { Factory } from './factory.ts';
import { fileSize } from './file-size.ts';
import { patchSite } from './patch-site.ts';
import { type NetworkWay, takeOverKargs } from './plan-network.ts';
import { refuseUnsupported } from './refuse-unsupported.ts';
import type { Site } from './site.ts';
import { assertCovered } from './site-coverage.ts';
import { EDGEFAB_VERSION } from './version.ts';

/** What was built for one site, without a secret in it; `receipt.json` beside the ISO. */
export interface SiteReceipt {
  readonly site: string;
  readonly buildId: string;
  readonly lock: string;
  readonly cacheId: string;
  readonly iso: {
    readonly file: string;
    readonly sha256: string;
    readonly sizeBytes: number;
    readonly ignition: IsoReceipt['ignition'];
    readonly kargs: string;
    readonly kargsBudget: KargsBudget | null;
  };
  /** How the live system gets its network, and the files that do it on the installed node. */
  readonly network: { readonly way: NetworkWay; readonly files: readonly string[] };
  readonly patch: readonly StepReport[];
  readonly certificates: { readonly notAfter: string; readonly path: string } | null;
  readonly warnings: readonly string[];
  readonly writer: string;
}

export interface BuildSiteOptions {
  readonly lock: Lock;
  /** Roles whose images may be missing from the cache; the site then needs a network for them. */
  readonly allowMissing?: readonly ImageRole[];
  /** Builds a stick whose certificates end before its shelf life does. */
  readonly allowShortLife?: boolean;
  /** Has the installer make a new Ignition in place of the one kept. */
  readonly renew?: boolean;
}

/**
 * Builds one site's boot stick image and receipt into `out/SITE/`. Refuses a cache that is not complete for this
 * very lock (CACHE_INCOMPLETE) and a folder without room (SPACE_SHORT).
 */
export async function buildSite(
  factory: Factory,
  site: Site,
  { lock, allowMissing = [], allowShortLife = false, renew = false }: BuildSiteOptions,
  host: Pick<Host, 'run' | 'env' | 'now' | 'randomBytes'>,
): Promise<SiteReceipt> {
  refuseUnsupported(site);
  const liveIso = factory.media?.liveIso;
  if (liveIso === undefined) {
    throw new EdgefabError(
      `${factory.file} has no media.liveIso: which CoreOS live ISO is the stick made from?`,
      {
        code: 'FACTORY_INVALID',
        place: { file: factory.file, field: 'media.liveIso' },
      },
    );
  }
  const cache = await assertCompleteCache(factory.paths.cache, lockId(lock));
  const folder = join(factory.paths.out, site.name);
  await mkdir(folder, { recursive: true, mode: 0o700 });
  await assertSpace(folder, await fileSize(liveIso));
  const { features, kargs: kargsAreas } = await inspectIso(liveIso);
  const {
    ignition: marked,
    report,
    buildId: id,
    network,
    warnings: made,
  } = await patchSite(factory, site, { lock, cacheId: cache.cacheId, features, renew }, host);
  const shelf = { now: host.now(), shelfLifeMs: site.certificates.shelfLifeMs };
  if (!allowShortLife) assertShelfLife(marked, shelf);
  await assertCovered(marked, site, lock, factory.paths.cache, allowMissing);
  const kargs = {
    append: [...network.kargs, ...takeOverKargs(network, marked), ...site.kargs.append],
    delete: site.kargs.delete,
  };
  const file = `${site.name}.iso`;
  const built = await buildSiteIso(
    {
      source: liveIso,
      target: join(folder, file),
      ignition: serializeIgnition(marked),
      ...(network.networkFiles === undefined ? {} : { networkFiles: network.networkFiles }),
      // An image without an area for them is still good for a site that needs none.
      ...(kargsAreas === undefined && kargs.append.length + kargs.delete.length === 0 ? {} : { kargs }),
      overwrite: true,
    },
    host,
  );
  const life = shelfLifeOf(marked, shelf);
  const receipt: SiteReceipt = {
    site: site.name,
    buildId: id,
    lock: lockId(lock),
    cacheId: cache.cacheId,
    iso: {
      file,
      sha256: await sha256File(join(folder, file)),
      sizeBytes: built.sizeBytes,
      ignition: built.ignition,
      kargs: built.kargs?.after ?? '',
      kargsBudget:
        built.kargs === undefined
          ? null
          : { usedBytes: built.kargs.usedBytes, capacityBytes: built.kargs.capacityBytes },
    },
    network: { way: network.way, files: network.keyfiles.map((file) => file.name) },
    patch: report,
    certificates:
      life.state === 'none'
        ? null
        : {
            notAfter: life.horizon.notAfter.toISOString(),
            path: life.horizon.certificates[0]?.path ?? '',
          },
    warnings: [...made, ...lifeWarnings(life)],
    writer: `edgefab/${EDGEFAB_VERSION}`,
  };
  await writeFileDurably(
    join(folder, 'receipt.json'),
    `${JSON.stringify({ apiVersion: 'edgefab.io/v1', kind: 'Receipt', ...receipt }, null, 2)}\n`,
  );
  return receipt;
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

async function sha256File(path: string): Promise<string> {
  const hash = createHash('sha256');
  for await (const chunk of createReadStream(path, { highWaterMark: 1024 * 1024 }))
    hash.update(chunk as Uint8Array);
  return hash.digest('hex');
}
