import { stat } from 'node:fs/promises';
import { relative } from 'node:path';
import type { Ignition } from '../boot/ignition/ignition.ts';
import { EdgefabError } from '../errors.ts';
import type { ImageRole, Lock } from '../mirror/resolve/lock.ts';
import { explainServed } from '../mirror/store/registry-view/explain-served.ts';
import { storePaths } from '../mirror/store/store-paths.ts';
import { parseDigest } from '../oci/digest.ts';
import { type CoverageGap, type CoverageReport, proveCoverage } from './coverage.ts';
import type { Site } from './site.ts';

const SHOWN = 20;

/**
 * Proves that a cache covers one site's install, in the way the site gets its images: served by the registry view, or
 * loaded from `dir:` views. Throws INSTALLER_TEXT_UNKNOWN.
 */
async function siteCoverage(
  ignition: Ignition,
  site: Pick<Site, 'cache'>,
  lock: Lock,
  root: string,
  allowMissing: readonly ImageRole[] = [],
): Promise<CoverageReport> {
  const explainUnserved =
    site.cache.mode === 'registry'
      ? async (source: string, digest: string) => {
          const missing = await explainServed(root, source, digest);
          return missing === undefined ? undefined : `the registry cannot serve it: ${missing}`;
        }
      : async (source: string, digest: string) => {
          const view = storePaths.dirView(root, source, parseDigest(digest));
          const found = await stat(view).catch(() => undefined);
          return found === undefined ? `its view ${relative(root, view)} is missing` : undefined;
        };
  return await proveCoverage(ignition, { root, lock, explainUnserved, allowMissing });
}

/** Describes gaps a line each, the first ones: what, what is missing of it, who asks for it. */
export function describeGaps(gaps: readonly CoverageGap[]): string[] {
  const lines = gaps
    .slice(0, SHOWN)
    .map(
      ({ reference, role, why, neededBy }) =>
        `  ${reference} (${role}): ${why}; needed by ${neededBy.slice(0, 3).join(', ') || 'the cluster'}`,
    );
  return gaps.length > SHOWN ? [...lines, `  … and ${gaps.length - SHOWN} more`] : lines;
}

/** Refuses a site whose install would ask for what the cache does not hold. Throws CACHE_INCOMPLETE. */
export async function assertCovered(
  ignition: Ignition,
  site: Pick<Site, 'name' | 'cache'>,
  lock: Lock,
  root: string,
  allowMissing: readonly ImageRole[],
): Promise<CoverageReport> {
  const report = await siteCoverage(ignition, site, lock, root, allowMissing);
  if (report.gaps.length === 0) return report;
  const roles = [...new Set(report.gaps.map(({ role }) => role))];
  throw new EdgefabError(
    `the cache at ${root} does not cover site ${site.name}: ${report.gaps.length} of ${report.images} images would be asked for and are not there\n${describeGaps(report.gaps).join('\n')}`,
    {
      code: 'CACHE_INCOMPLETE',
      suggestions: [
        'Run edgefab precache --update, then this command again',
        `Or, where the site has a network for them: ${roles.map((role) => `--allow-missing ${role}`).join(' ')}`,
      ],
      place: { file: root },
    },
  );
}
