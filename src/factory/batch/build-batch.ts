import { availableParallelism } from 'node:os';
import { join } from 'node:path';
import pLimit from 'p-limit';
import { EdgefabError } from '../../errors.ts';
import type { Host } from '../../host/host.ts';
import { lockId } from '../../mirror/resolve/lock.ts';
import { writeFileDurably } from '../../mirror/store/write-file-durably.ts';
import { type BuildSiteOptions, buildSite } from '../build-site.ts';
import type { Build } from '../open-build.ts';
import type { Site } from '../site.ts';
import { EDGEFAB_VERSION } from '../version.ts';
import type { BatchReport, SiteReport } from './batch-report.ts';
import type { Shard } from './shard.ts';

export interface BatchOptions extends Omit<BuildSiteOptions, 'keepFinished'> {
  /** Sites at work at once; as many as the machine has processors unless given. */
  readonly parallel?: number;
  readonly shard?: Shard;
  /** Builds finished sites again. */
  readonly rebuild?: boolean;
  readonly signal: AbortSignal;
  /** Told of each site as it ends, in that order. */
  readonly onSite: (report: SiteReport) => void;
}

/**
 * Builds many sites, several at once; the fault of one stops no other. What an earlier run finished is left as it is.
 * Ends with `report.json` in the output folder (`report-I-of-N.json` of a shard), also when it is aborted: the sites
 * at work are finished, the others not begun.
 */
export async function buildBatch(
  build: Build,
  sites: readonly Site[],
  options: BatchOptions,
  host: Pick<Host, 'run' | 'env' | 'now' | 'randomBytes' | 'sleep'>,
): Promise<BatchReport> {
  const {
    parallel = availableParallelism(),
    shard,
    rebuild = false,
    signal,
    onSite,
    ...siteOptions
  } = options;
  const limit = pLimit(parallel);
  const reports = await Promise.all(
    sites.map((site) =>
      limit(async () => {
        const report: SiteReport = signal.aborted
          ? { site: site.name, state: 'not-begun' }
          : await reportSite(build, site, { ...siteOptions, keepFinished: !rebuild }, host);
        onSite(report);
        return report;
      }),
    ),
  );
  const report: BatchReport = {
    apiVersion: 'edgefab.io/v1',
    kind: 'BatchReport',
    writer: `edgefab/${EDGEFAB_VERSION}`,
    buildTime: build.buildTime.toISOString(),
    lock: lockId(build.lock),
    ...(shard === undefined ? {} : { shard }),
    sites: reports,
  };
  await writeFileDurably(
    join(build.factory.paths.out, reportFile(shard)),
    `${JSON.stringify(report, null, 2)}\n`,
  );
  return report;
}

/** The name of a batch's report in the output folder. */
export function reportFile(shard: Shard | undefined): string {
  return shard === undefined ? 'report.json' : `report-${shard.index}-of-${shard.of}.json`;
}

async function reportSite(
  build: Build,
  site: Site,
  options: BuildSiteOptions,
  host: Pick<Host, 'run' | 'env' | 'now' | 'randomBytes' | 'sleep'>,
): Promise<SiteReport> {
  try {
    const { state, receipt } = await buildSite(build, site, options, host);
    const { buildId, iso, certificates, warnings } = receipt;
    return {
      site: site.name,
      state,
      buildId,
      iso: join(site.name, iso.file),
      sha256: iso.sha256,
      sizeBytes: iso.sizeBytes,
      certificatesEnd: certificates?.notAfter ?? null,
      warnings: [...warnings],
    };
  } catch (error) {
    const { message, suggestions } =
      error instanceof EdgefabError ? error : { message: String(error), suggestions: [] };
    const code = error instanceof EdgefabError ? error.code : 'BUG';
    return { site: site.name, state: 'failed', error: { code, message, suggestions: [...suggestions] } };
  }
}
