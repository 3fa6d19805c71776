import { stat } from 'node:fs/promises';
import { dirname } from 'node:path';
import { inspectIso } from '../../boot/iso/inspect-iso.ts';
import { assertHoldsCache } from '../../disk/cache/assert-holds-cache.ts';
import { folderSpace } from '../../disk/cache/folder-space.ts';
import { EdgefabError } from '../../errors.ts';
import type { Host } from '../../host/host.ts';
import { storePaths } from '../../mirror/store/store-paths.ts';
import { usualAuthfiles } from '../../oci/credentials.ts';
import type { Factory } from '../factory.ts';
import { loadFactory } from '../load.ts';
import { missingFiles } from '../missing-files.ts';
import type { Finding } from './finding.ts';
import { lookAtCache } from './look-cache.ts';
import { lookAtClock } from './look-clock.ts';
import { DISK_TOOLS, lookAtTools } from './look-tools.ts';

/** Fields of files that `edgefab fetch` can get. */
const FETCHED: ReadonlySet<string> = new Set(['media.liveIso', 'media.installer']);

type DoctorHost = Pick<Host, 'env' | 'homeDir' | 'run' | 'now'>;

/** Looks over the machine, and the factory when there is one, for what a build will need. Changes nothing. */
export async function examineWorkstation(factoryFile: string, host: DoctorHost): Promise<Finding[]> {
  const findings: Finding[] = [{ what: 'Node.js', state: 'ok', detail: process.version }];
  findings.push(await authfileFinding(host), await lookAtClock(host));
  findings.push(...(await lookAtTools(DISK_TOOLS, 'note', host)));
  if (!(await isThere(factoryFile))) {
    findings.push({
      what: 'factory',
      state: 'note',
      detail: `there is no ${factoryFile} here; edgefab init writes one`,
    });
    const installer = await installerFinding('openshift-install', host);
    return [...findings, installer.state === 'missing' ? { ...installer, state: 'note' } : installer];
  }
  let factory: Factory;
  try {
    factory = await loadFactory(factoryFile, host);
  } catch (error) {
    if (!(error instanceof EdgefabError)) throw error;
    return [...findings, { what: 'factory', state: 'missing', detail: error.message }];
  }
  findings.push({ what: 'factory', state: 'ok', detail: `${factoryFile}, ${factory.sites.length} sites` });
  for (const { path, place } of await missingFiles(factory)) {
    const remedy = FETCHED.has(place.field ?? '') ? '; edgefab fetch gets it' : '';
    findings.push({
      what: place.field ?? 'file',
      state: 'missing',
      detail: `${path} cannot be read${remedy}`,
    });
  }
  if (factory.sites.some((site) => site.ignition === undefined)) {
    findings.push(await installerFinding(factory.media?.installer ?? 'openshift-install', host));
  }
  findings.push(...(factory.media === undefined ? [NO_MEDIA] : await isoFinding(factory.media.liveIso)));
  findings.push(...(await spaceFindings(factory.paths.cache)), await outFinding(factory));
  // Before the first precache there is none to be looked at.
  if (await isThere(storePaths.cacheFile(factory.paths.cache)))
    findings.push(...(await lookAtCache(factory.paths.cache, undefined)).findings);
  return findings;
}

/** What the sticks of all sites take, where the file system cannot share blocks. */
async function outFinding({ paths, sites, media }: Factory): Promise<Finding> {
  const { freeBytes, existing } = await folderSpace(paths.out);
  const iso = media === undefined ? undefined : await stat(media.liveIso).catch(() => undefined);
  const needed = (iso?.size ?? 0) * sites.length;
  const gib = (bytes: number): string => `${(bytes / 1024 ** 3).toFixed(1)} GiB`;
  const detail = `${gib(freeBytes)} free at ${existing}; ${sites.length} ISOs take ${gib(needed)}`;
  if (freeBytes >= needed) return { what: 'output folder', state: 'ok', detail };
  const remedy = 'On XFS or Btrfs they share their blocks and take almost nothing; elsewhere free space';
  return { what: 'output folder', state: 'note', detail, remedy };
}

const NO_MEDIA: Finding = {
  what: 'live ISO',
  state: 'missing',
  detail: 'the factory names none; edgefab fetch gets the right one, media: { liveIso: FILE } names it',
};

async function isThere(path: string): Promise<boolean> {
  return await stat(path).then(
    () => true,
    () => false,
  );
}

async function authfileFinding(host: DoctorHost): Promise<Finding> {
  const named = host.env.REGISTRY_AUTH_FILE;
  const paths = named === undefined || named === '' ? usualAuthfiles(host) : [named];
  const there = await Promise.all(paths.map(isThere));
  const found = paths.find((_, at) => there[at]);
  return found === undefined
    ? {
        what: 'registry credentials',
        state: 'note',
        detail: 'none found where podman looks; --authfile names a pull secret',
      }
    : { what: 'registry credentials', state: 'ok', detail: found };
}

async function installerFinding(program: string, host: DoctorHost): Promise<Finding> {
  try {
    const { exitCode, stdout } = await host.run(program, ['version']);
    const [line = ''] = stdout.split('\n');
    return exitCode === 0
      ? { what: 'openshift-install', state: 'ok', detail: line.trim() }
      : {
          what: 'openshift-install',
          state: 'missing',
          detail: `${program} version ended with status ${exitCode}`,
        };
  } catch (error) {
    if (!(error instanceof EdgefabError)) throw error;
    const detail = `${program} is not there; edgefab fetch gets it. It makes the Ignition of a site that brings none (ignition: FILE)`;
    return { what: 'openshift-install', state: 'missing', detail };
  }
}

async function isoFinding(path: string): Promise<Finding[]> {
  try {
    const iso = await inspectIso(path);
    const detail = `volume ${iso.volumeId}, embed area ${iso.ignition.sizeBytes} bytes`;
    return [{ what: 'live ISO', state: 'ok', detail }];
  } catch (error) {
    if (!(error instanceof EdgefabError)) throw error;
    // A file that is not there is among the missing files already.
    return error.code === 'FILE_UNREADABLE'
      ? []
      : [{ what: 'live ISO', state: 'missing', detail: error.message }];
  }
}

async function spaceFindings(folder: string): Promise<Finding[]> {
  const space = await folderSpace(folder);
  const findings: Finding[] = [
    {
      what: 'cache disk',
      state: 'ok',
      detail: `${Math.floor(space.freeBytes / 1024 ** 3)} GiB free at ${space.existing}`,
    },
  ];
  try {
    await assertHoldsCache(space.existing === folder ? folder : dirname(folder));
  } catch (error) {
    if (!(error instanceof EdgefabError)) throw error;
    findings.push({ what: 'cache disk', state: 'missing', detail: error.message });
  }
  return findings;
}
