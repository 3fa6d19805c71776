import { stat } from 'node:fs/promises';
import { availableParallelism } from 'node:os';
import { Args, Flags } from '@oclif/core';
import { EdgefabError } from '../../errors.ts';
import type { CoverageReport } from '../../factory/coverage.ts';
import { loadFactory } from '../../factory/load.ts';
import { proveSite } from '../../factory/prove-site.ts';
import { repairCache } from '../../factory/repair-cache.ts';
import { selectSites } from '../../factory/select-sites.ts';
import { describeGaps } from '../../factory/site-coverage.ts';
import { realHost } from '../../host/real-host.ts';
import type { ImageRole } from '../../mirror/resolve/lock.ts';
import { verifyDelta } from '../../mirror/store/delta/read-delta.ts';
import { type CacheFault, type CacheReport, verifyCache } from '../../mirror/store/verify-cache.ts';
import { allowMissingFlag } from '../terminal/allow-missing-flag.ts';
import { EdgefabCommand } from '../terminal/edgefab-command.ts';
import { formatBytes } from '../terminal/format-amount.ts';
import { openRegistry, type RegistryFlagValues, registryFlags } from '../terminal/registry-flags.ts';

const SHOWN_FAULTS = 50;
/** What brings back a file that a site's stick had no room for. */
const WRITE_AGAIN = "run edgefab batch --spill with this cache as the factory's: it writes the file again";

export default class CacheVerify extends EdgefabCommand {
  static override summary = 'Hash every byte of a cache again and say what is wrong with it';
  static override description =
    'Reads the medium, not the memory of what was written: each blob its lock names is hashed, several at once, and ' +
    'so is each file that boot sticks have no room for; every view and the index are compared with the lock. Ends with ' +
    '0 when everything is there, 5 when something is missing, 6 when bytes are wrong. Given a part of a delta archive ' +
    'instead of a cache, hashes that.';
  static override examples = [
    '<%= config.bin %> cache verify /run/media/edgefab',
    '<%= config.bin %> cache verify /run/media/edgefab --repair --authfile pull-secret.json',
    '<%= config.bin %> cache verify /run/media/edgefab --for bip',
    '<%= config.bin %> cache verify delta-1of3.tar',
  ];
  static override args = {
    folder: Args.string({
      description: 'the cache (where its disk is mounted), or a part of a delta',
      required: true,
    }),
  };
  static override flags = {
    ...registryFlags,
    for: Flags.string({
      description: 'prove too that the cache covers the install of this site of the factory',
      helpValue: 'SITE',
      exclusive: ['repair'],
    }),
    factory: Flags.string({ description: 'the factory file, with --for', default: 'factory.yaml' }),
    'allow-missing': allowMissingFlag,
    repair: Flags.boolean({ description: 'fetch again what is missing or wrong, and only that' }),
  };

  async run(): Promise<unknown> {
    const { args, flags } = await this.parse(CacheVerify);
    this.begin(flags);
    const { folder } = args;
    if ((await stat(folder).catch(() => undefined))?.isFile() === true)
      return await this.#verifyDelta(folder);
    // A name that is none is told before an hour of hashing.
    if (flags.for !== undefined) selectSites(await loadFactory(flags.factory, realHost), [flags.for]);
    const report = await this.#verify(folder);
    for (const { path } of report.strays)
      this.say(
        'warn',
        path.startsWith('files/')
          ? `${path} is no file of a site: its name is no sha256`
          : `${path} belongs to no image of the lock`,
      );
    if (report.faults.length > 0 && !flags.repair) throw verifyError(folder, report.faults);
    this.print(
      `${report.images} images, ${report.blobs} blobs, ${report.files === 0 ? '' : `${report.files} files of sites, `}${formatBytes(report.bytes)}: ` +
        (report.faults.length === 0
          ? 'every byte is what it claims to be'
          : `${report.faults.length} faults`),
    );
    const repaired = report.faults.length === 0 ? undefined : await this.#repair(folder, report, flags);
    const cache = repaired?.cache ?? report.cache;
    this.print(`cache ${cache.cacheId}, lock ${cache.lock}`);
    const coverage = flags.for === undefined ? undefined : await this.#cover(folder, flags.for, flags);
    return {
      kind: 'CacheReport',
      folder,
      ...report,
      ...repaired,
      ...(coverage === undefined ? {} : { coverage }),
    };
  }

  /** Proves that the cache covers a site's install; what it has to be patched for is made as `iso` makes it. */
  async #cover(
    folder: string,
    name: string,
    flags: { readonly factory: string; readonly 'allow-missing': readonly ImageRole[] },
  ): Promise<CoverageReport> {
    const report = await proveSite(flags.factory, name, folder, flags['allow-missing'], realHost);
    for (const line of describeGaps(report.allowed))
      this.say('warn', `allowed to be missing: ${line.trim()}`);
    this.print(
      `site ${name}: all ${report.images} images that its install asks for are there${report.version === undefined ? '' : ` (release ${report.version})`}`,
    );
    return report;
  }

  async #verify(folder: string): Promise<CacheReport> {
    const progress = this.createProgress();
    return await verifyCache(folder, {
      parallel: Math.min(availableParallelism(), 8),
      signal: this.signal,
      onStart: (bytes) => progress.start('verifying', bytes),
      onBytes: (bytes) => progress.advance(bytes),
    }).finally(() => progress.end());
  }

  async #repair(
    folder: string,
    report: CacheReport,
    flags: RegistryFlagValues & { readonly parallel: number },
  ): Promise<Pick<CacheReport, 'cache'> & { readonly repaired: number; readonly fetchedBytes: number }> {
    for (const line of describeFaults(report.faults)) this.say('warn', line.trim());
    for (const { path } of report.faults.filter(isSiteFile))
      this.say('warn', `${path} comes from no registry and is removed: ${WRITE_AGAIN}`);
    const client = await openRegistry(flags);
    const progress = this.createProgress();
    try {
      const { cache, result } = await repairCache(
        folder,
        report.faults,
        client,
        {
          parallel: flags.parallel,
          executable: {},
          retryTimes: flags['retry-times'],
          signal: this.signal,
          onPlan: (plan) => progress.start('fetching', plan.uniqueBytes),
          onBytes: (bytes, from) => progress.advance(bytes, from),
          onEvent: (event) => progress.tell(event),
        },
        realHost,
      ).finally(() => progress.end());
      this.print(`repaired: ${formatBytes(result.fetchedBytes)} fetched again, hashed on their way in`);
      return { cache, repaired: report.faults.length, fetchedBytes: result.fetchedBytes };
    } finally {
      client.close();
    }
  }

  async #verifyDelta(path: string): Promise<unknown> {
    const progress = this.createProgress();
    const report = await verifyDelta(path, {
      signal: this.signal,
      onStart: (bytes) => progress.start('verifying', bytes),
      onBytes: (bytes) => progress.advance(bytes),
    }).finally(() => progress.end());
    this.print(
      `part ${report.part} of ${report.parts}, ${report.blobs} blobs${report.siteFiles === 0 ? '' : `, ${report.siteFiles} files of sites`}, ${formatBytes(report.bytes)}: every byte is what it claims to be`,
    );
    this.print(`delta ${report.id}, from lock ${report.since ?? 'none'} to ${report.lock}`);
    return { kind: 'DeltaReport', path, ...report };
  }
}

function isSiteFile({ path }: CacheFault): boolean {
  return path.startsWith('files/');
}

function describeFaults(faults: readonly CacheFault[]): string[] {
  const lines = faults.slice(0, SHOWN_FAULTS).map((fault) => {
    const [user] = fault.images;
    return `  ${fault.path}: found ${fault.got}, expected ${fault.want}${user === undefined ? '' : ` (needed by ${user})`}`;
  });
  if (faults.length > lines.length) lines.push(`  … and ${faults.length - lines.length} more`);
  return lines;
}

/** Wrong bytes outrank missing ones. */
function verifyError(folder: string, faults: readonly CacheFault[]): EdgefabError {
  const wrong = faults.some((fault) => fault.kind === 'digest' || fault.kind === 'size');
  return new EdgefabError(
    `the cache at ${folder} has ${faults.length} faults:\n${describeFaults(faults).join('\n')}`,
    {
      code: wrong ? 'BLOB_DIGEST_MISMATCH' : 'BLOB_MISSING',
      suggestions: [
        ...(faults.every(isSiteFile)
          ? []
          : [
              `Run edgefab cache verify ${folder} --repair where the registry can be reached: it fetches only those`,
            ]),
        ...(faults.some(isSiteFile) ? [`For files/sha256, ${WRITE_AGAIN}`] : []),
      ],
      place: { file: folder },
      faults: faults.map((fault) => ({
        place: { file: fault.path },
        message: `${fault.kind}: found ${fault.got}, expected ${fault.want}`,
      })),
    },
  );
}
