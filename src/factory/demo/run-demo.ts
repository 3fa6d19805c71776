import { mkdir, mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { EdgefabError } from '../../errors.ts';
import type { Host } from '../../host/host.ts';
import type { PullPlan } from '../../mirror/plan/plan.ts';
import { type CacheReport, verifyCache } from '../../mirror/store/verify-cache.ts';
import { createRegistryClient } from '../../oci/client.ts';
import { buildSite } from '../build-site.ts';
import { graphSource } from '../graph-source.ts';
import { loadFactory } from '../load.ts';
import { factoryRequest } from '../mirror-request.ts';
import { writeNewFactory } from '../new-factory.ts';
import { openBuild } from '../open-build.ts';
import { precache } from '../precache.ts';
import type { Receipt } from '../receipt/receipt.ts';
import { resolveLock } from '../resolve-lock.ts';
import { writeLock } from '../write-lock.ts';
import { demoBipIgnition } from './bip-ignition.ts';
import { makeCoreosIso } from './coreos-iso.ts';
import { startDemoRegistry } from './made-release.ts';

const SITE = 'demo';

/** What the demo built. Paths are absolute. */
export interface DemoOutcome {
  readonly folder: string;
  readonly plan: PullPlan;
  readonly fetchedBytes: number;
  readonly report: CacheReport;
  readonly receipt: Receipt;
  readonly iso: string;
}

export interface DemoOptions {
  readonly signal: AbortSignal;
  /** Told before each stage, in people's words. */
  readonly onStage: (stage: string) => void;
}

/**
 * Runs the whole factory on made-up content: a registry on loopback with a small release, a CoreOS-style ISO and a
 * bootstrap-in-place Ignition, each named as made up. No account, no network, no root. Throws TARGET_EXISTS when
 * the folder is not empty.
 */
export async function runDemo(target: string, options: DemoOptions, host: Host): Promise<DemoOutcome> {
  const folder = resolve(target);
  await mkdir(folder, { recursive: true });
  if ((await readdir(folder)).length > 0) {
    throw new EdgefabError(`${folder} is not empty`, {
      code: 'TARGET_EXISTS',
      suggestions: [`Name another folder, or remove that one first`],
      place: { file: folder },
    });
  }
  const { onStage, signal } = options;
  const made = await mkdtemp(join(folder, '.made-up-'));
  onStage('registry: a made-up release on loopback');
  const { server, releaseImage, toolsImage, registryImage } = await startDemoRegistry(made);
  const client = createRegistryClient({ credentials: { find: async () => undefined }, insecure: true }, host);
  try {
    onStage('init: factory.yaml, image set, live ISO, Ignition');
    await writeNewFactory(folder, {
      site: SITE,
      releaseImage,
      arch: 'x86_64',
      liveIso: 'media/made-up-live.iso',
      ignition: 'media/made-up-bip.ign',
      additionalImages: [toolsImage],
      registryImage,
    });
    await mkdir(join(folder, 'media'));
    await makeCoreosIso(join(folder, 'media', 'made-up-live.iso'));
    await writeFile(
      join(folder, 'media', 'made-up-bip.ign'),
      demoBipIgnition({
        clusterName: SITE,
        domain: 'edge.example.com',
        installDisk: '/dev/sda',
        releaseImage,
      }),
      { mode: 0o600 },
    );
    const factory = await loadFactory(join(folder, 'factory.yaml'), host);
    const request = await factoryRequest(factory, { forceFilter: false });

    onStage('plan: resolve every image to digests and count bytes');
    const { lock } = await resolveLock(request, false, client, {
      parallel: 4,
      signal,
      graph: graphSource(undefined, signal, host),
    });
    await writeLock(request.lockPath, lock);

    onStage('precache: fetch each byte once');
    const { plan, result } = await precache(
      lock,
      request.folder,
      client,
      { parallel: 4, retryTimes: 2, signal },
      host,
    );

    onStage('iso: patch the Ignition and embed it');
    const [site] = factory.sites;
    if (site === undefined) throw new RangeError('the demo factory has no site');
    await using build = await openBuild(factory, { forceFilter: false, signal }, host);
    const { receipt } = await buildSite(build, site, {}, host);

    onStage('verify: hash every byte of the cache again');
    const report = await verifyCache(request.folder, { parallel: 2, signal });
    const iso = join(factory.paths.out, site.name, receipt.iso.file);
    return { folder, plan, fetchedBytes: result.fetchedBytes, report, receipt, iso };
  } finally {
    client.close();
    await server.close();
    await rm(made, { recursive: true, force: true });
  }
}
