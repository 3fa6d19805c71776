import { EdgefabError } from '../../errors.ts';
import type { Host } from '../../host/host.ts';
import type { VerifyOptions } from '../../mirror/store/verify-cache.ts';
import type { Finding } from './finding.ts';
import { lookAtCache, lookAtMemoryFor } from './look-cache.ts';
import { lookAtClock } from './look-clock.ts';
import { lookAtCacheLabels, lookAtInstallDisk } from './look-disks.ts';
import { lookAtLink } from './look-link.ts';
import { dnsLookup, lookAtNames } from './look-names.ts';
import { lookAtTimeServers } from './look-time-servers.ts';
import { DISK_TOOLS, lookAtTools } from './look-tools.ts';

/** What is known of the machine that is looked over. */
export interface Target {
  /** Where its cache disk is mounted. */
  readonly cache?: string;
  /** NAME.DOMAIN of the cluster, where a DNS server at the site is to know it. */
  readonly cluster?: string;
  readonly addresses: readonly string[];
  readonly dnsServers: readonly string[];
  readonly timeServers: readonly string[];
  /** Cards the site names. */
  readonly macs: readonly string[];
  /** The disk that is to be installed on. */
  readonly installDisk?: string;
}

/**
 * Looks over the machine that is to be installed, from its live system: tools, rights, disks, cache, memory, clock, link,
 * names, time servers. Changes nothing. `uid` is the user edgefab runs as.
 */
export async function examineTarget(
  target: Target,
  { uid, verify }: { readonly uid: number | undefined; readonly verify?: VerifyOptions },
  host: Pick<Host, 'run' | 'now'>,
): Promise<Finding[]> {
  const { cache, cluster, addresses, dnsServers, timeServers, macs, installDisk } = target;
  const looked = cache === undefined ? undefined : await lookAtCache(cache, verify);
  return [
    lookAtRights(uid),
    ...(await lookAtTools(DISK_TOOLS, 'missing', host)),
    ...(await lookAtLabels(host)),
    ...(installDisk === undefined ? [] : [await lookAtInstallDisk(installDisk, host)]),
    ...(looked?.findings ?? []),
    ...(looked?.lock === undefined ? [] : [await lookAtMemoryFor(looked.lock)]),
    await lookAtClock(host),
    ...(await lookAtLink(macs)),
    ...(cluster === undefined ? [] : await lookAtNames(cluster, addresses, dnsLookup(dnsServers))),
    ...(await lookAtTimeServers(timeServers, host)),
  ];
}

/** Without blkid, which is told about already, no label can be looked for. */
async function lookAtLabels(host: Pick<Host, 'run'>): Promise<Finding[]> {
  try {
    return await lookAtCacheLabels(host);
  } catch (error) {
    if (error instanceof EdgefabError && error.code === 'TOOL_MISSING') return [];
    throw error;
  }
}

function lookAtRights(uid: number | undefined): Finding {
  return uid === 0
    ? { what: 'rights', state: 'ok', detail: 'root' }
    : {
        what: 'rights',
        state: 'missing',
        detail: 'disks are partitioned, mounted and written by root only',
        remedy: 'Run the same command with sudo',
      };
}
