import type { KeyObject } from 'node:crypto';
import { basename, join } from 'node:path';
import pLimit, { type LimitFunction } from 'p-limit';
import { type IsoSource, openIsoSource } from '../boot/iso/iso-source.ts';
import { EdgefabError } from '../errors.ts';
import type { Host } from '../host/host.ts';
import { type Lock, lockId } from '../mirror/resolve/lock.ts';
import { assertCompleteCache, type CacheFile } from '../mirror/store/cache-file.ts';
import { type FileHasher, openFileHasher } from '../mirror/store/file-hasher.ts';
import { keptBuildTime } from './build-time.ts';
import type { Factory } from './factory.ts';
import { factoryRequest, type RequestOptions } from './mirror-request.ts';
import { missingFiles } from './missing-files.ts';
import type { Receipt } from './receipt/receipt.ts';
import { loadSigningKey } from './receipt/sign-receipt.ts';
import { isFresh, loadLock } from './resolve-lock.ts';
import type { Site } from './site.ts';
import { forgetIgnition } from './site-ignition.ts';

/** What every site of one run is built from: checked once, before the first. Dispose of it when all are built. */
export interface Build extends AsyncDisposable {
  readonly factory: Factory;
  readonly lock: Lock;
  readonly cache: CacheFile;
  readonly liveIso: IsoSource;
  /** The live ISO as receipts name it; its sha256 is worked out beside the building. */
  readonly liveIsoInput: () => Promise<Receipt['inputs']['liveIso']>;
  readonly buildTime: Date;
  readonly hasher: FileHasher;
  readonly signingKey: KeyObject | undefined;
  /** Sites that are built beside each other write to the cache one after another. */
  readonly cacheWriter: LimitFunction;
}

export interface OpenBuildOptions extends RequestOptions {
  /** Begins anew for these sites: a new build time, and new Ignitions by the installer in place of those kept. */
  readonly renew?: readonly Site[];
  readonly signal?: AbortSignal;
}

/**
 * Opens a build: every file the factory names is there, its lock is fresh, its cache complete for this very lock, the
 * live ISO is one. Throws FILE_UNREADABLE with all files together, LOCK_STALE, CACHE_INCOMPLETE, FACTORY_INVALID and
 * what `openIsoSource` throws.
 */
export async function openBuild(
  factory: Factory,
  options: OpenBuildOptions,
  host: Pick<Host, 'now' | 'env' | 'randomBytes'>,
): Promise<Build> {
  const liveIsoFile = factory.media?.liveIso;
  if (liveIsoFile === undefined) {
    throw new EdgefabError(
      `${factory.file} has no media.liveIso: which CoreOS live ISO is the stick made from?`,
      { code: 'FACTORY_INVALID', place: { file: factory.file, field: 'media.liveIso' } },
    );
  }
  await refuseMissingFiles(factory);
  const lock = await freshLock(factory, options);
  const cache = await assertCompleteCache(factory.paths.cache, lockId(lock));
  const liveIso = await openIsoSource(liveIsoFile);
  const signingKey = factory.signingKey === undefined ? undefined : await loadSigningKey(factory.signingKey);
  const { renew } = options;
  for (const { name } of renew ?? []) await forgetIgnition(join(factory.paths.out, name));
  const buildTime = await keptBuildTime(factory.paths.out, renew !== undefined, host);
  const hasher = openFileHasher(Number.POSITIVE_INFINITY, options.signal);
  const { volumeId, sizeBytes } = liveIso.image;
  let digest: Promise<string> | undefined;
  return {
    factory,
    lock,
    cache,
    liveIso,
    liveIsoInput: async () => {
      digest ??= hasher.hash(liveIsoFile, () => undefined).then((value) => value.slice('sha256:'.length));
      return { file: basename(liveIsoFile), volumeId, sizeBytes, sha256: await digest };
    },
    buildTime,
    hasher,
    signingKey,
    cacheWriter: pLimit(1),
    [Symbol.asyncDispose]: () => hasher[Symbol.asyncDispose](),
  };
}

async function refuseMissingFiles(factory: Factory): Promise<void> {
  const absent = await missingFiles(factory);
  if (absent.length === 0) return;
  const lines = absent.map(
    ({ path, place }) => `  ${place.file}:${place.line}:${place.col} ${place.field}: ${path}`,
  );
  throw new EdgefabError(`${absent.length} files the factory names cannot be read:\n${lines.join('\n')}`, {
    code: 'FILE_UNREADABLE',
    place: { file: factory.file },
    faults: absent.map(({ path, place }) => ({ place, message: `cannot read ${path}` })),
  });
}

async function freshLock(factory: Factory, options: RequestOptions): Promise<Lock> {
  const request = await factoryRequest(factory, options);
  const { lock: file } = factory.paths;
  const lock = await loadLock(file);
  if (lock !== undefined && isFresh(lock, request)) return lock;
  throw new EdgefabError(
    lock === undefined
      ? `there is no ${file}: nothing is precached yet`
      : `${file} is stale: the factory or its image set has changed since`,
    {
      code: 'LOCK_STALE',
      suggestions: [
        lock === undefined
          ? 'Run edgefab precache, then this command again'
          : 'Run edgefab precache --update, then this command again',
      ],
      place: { file },
    },
  );
}
