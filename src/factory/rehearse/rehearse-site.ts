import { mkdir, mkdtemp, rm } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import type { Ignition } from '../../boot/ignition/ignition.ts';
import { REGISTRY_PORT } from '../../boot/patch/registry-settings.ts';
import { EdgefabError } from '../../errors.ts';
import type { Host } from '../../host/host.ts';
import type { Lock, LockedImage } from '../../mirror/resolve/lock.ts';
import { openFileHasher } from '../../mirror/store/file-hasher.ts';
import { holdFile } from '../../mirror/store/hold-file.ts';
import { writeFileDurably } from '../../mirror/store/write-file-durably.ts';
import type { Factory } from '../factory.ts';
import { preloadImages } from '../preload-images.ts';
import type { Receipt } from '../receipt/receipt.ts';
import { verifyReceipt } from '../receipt/verify-receipt.ts';
import { loadLock } from '../resolve-lock.ts';
import type { Site } from '../site.ts';
import { EDGEFAB_VERSION } from '../version.ts';
import { capturedTraffic, seenFromOutside, trafficCheck } from './captured-traffic.ts';
import { planCardNetwork } from './card-network.ts';
import type { Patience } from './come-to-rest.ts';
import { embeddedIgnition } from './embedded-ignition.ts';
import type { Expected } from './guest-checks.ts';
import { installedUnits, liveUnits } from './installed-units.ts';
import { keepRehearsal } from './keep-rehearsal.ts';
import { unitSettings } from './machine-parts.ts';
import { type MachineOptions, prepareMachine } from './prepare-machine.ts';
import { type MachinePlan, machineFiles } from './qemu-command.ts';
import type { NetworkKind, Phase, Rehearsal } from './rehearsal.ts';
import { openRehearsalLog } from './rehearsal-log.ts';
import { rehearsePhases, type WantedPhase, type WantedPhases } from './rehearse-phases.ts';
import { openSiteNetwork } from './site-network.ts';

export interface RehearseOptions extends MachineOptions, Patience {
  readonly network: NetworkKind;
  /** Lets the machine install, and goes on with what it installed; undefined: ends before that. */
  readonly install: { readonly stick: 'leave' | 'remove' } | undefined;
  /** Told of each moment and check as it comes. */
  readonly onNews: (line: string) => void;
  /** Where sockets and the disks that are thrown away go. */
  readonly temporaryFolder: string;
}

type RehearseHost = Pick<Host, 'run' | 'sleep' | 'now' | 'randomBytes'>;

/** Beside the ISO: one process at a time rehearses a site. */
const LOCK_FILE = '.rehearsal.lock';
/** How a lock begins to say who on the node pulls an image before its kubelet runs. */
const BY_NODE = 'after the reboot: ';
/** The node has come up when this runs: it is not started before the operating system is the cluster's. */
const NODE_UNITS = ['kubelet.service'];

/**
 * Boots what was built for a site in a virtual machine whose network leads nowhere, and looks whether all that is
 * needed for an install is there. Logs and `rehearsal.json` go to `out/SITE/rehearsal/`, what was found into the receipt. Throws what `verifyReceipt`
 * and `prepareMachine` throw, LOCK_STALE without a lock, SITE_BUSY while another process rehearses it, TOOL_FAILED when
 * QEMU does not run; a verdict is no error.
 */
export async function rehearseSite(
  factory: Pick<Factory, 'paths'>,
  site: Site,
  options: RehearseOptions,
  host: RehearseHost,
): Promise<Rehearsal> {
  const { receipt, iso } = await verifiedBuild(factory, site, options.signal, host);
  const ignition = await embeddedIgnition(iso);
  const built: Built = { site, receipt, ignition, lock: await builtLock(factory) };
  using held = await holdFile(join(dirname(iso), LOCK_FILE));
  if (held === undefined) {
    throw new EdgefabError(`site ${site.name} is being rehearsed by another edgefab`, {
      code: 'SITE_BUSY',
      suggestions: ['Wait for it to end'],
      place: { file: dirname(iso) },
    });
  }
  const logFolder = join(dirname(iso), 'rehearsal');
  const scratch = await mkdtemp(join(options.temporaryFolder, 'edgefab-rehearse-'));
  try {
    const folders = { scratch, logFolder };
    const { plan, notes } = await prepareMachine(site, { iso, ignition }, options, folders, host);
    // Not before: what is refused leaves the logs of the last rehearsal.
    await rm(logFolder, { recursive: true, force: true });
    await mkdir(logFolder, { mode: 0o700 });
    const log = openRehearsalLog(options.onNews, host);
    const wanted = wantedPhases(built, options);
    await using network = await playNetwork(options.network, site, plan, host);
    const starts = await rehearsePhases({ ...plan, cards: network.cards }, wanted, options, log, host);
    const attempts: Rehearsal['attempts'][number][] = [];
    let payloadBytes = 0;
    const seconds = log.seconds();
    const phases = log.phases();
    for (const { phase } of phases) {
      const plans = starts.filter((start) => start.phase === phase).map((start) => start.plan);
      const traffic = await capturedTraffic(plans);
      log.add(trafficCheck(traffic), phase);
      const isDark = log.checks.some((check) => check.phase === phase && check.state === 'unknown');
      if (phase === 'installed' && isDark) network.notes.push(seenFromOutside(traffic));
      attempts.push(...traffic.attempts.map((attempt) => ({ phase, ...attempt })));
      payloadBytes += traffic.payloadBytes;
    }
    const { checks, timeline } = log;
    const rehearsal: Rehearsal = {
      site: site.name,
      buildId: receipt.buildId,
      endedAt: host.now().toISOString(),
      writer: `edgefab/${EDGEFAB_VERSION}`,
      verdict: checks.every(({ state }) => state === 'good') ? 'passed' : 'failed',
      firmware: options.firmware,
      accelerator: starts.at(-1)?.plan.accelerator ?? plan.accelerator,
      memoryMiB: plan.memoryMiB,
      network: options.network,
      clock: options.clock?.toISOString() ?? null,
      seconds,
      phases,
      checks: [...checks],
      timeline: [...timeline],
      attempts,
      payloadBytes,
      notes: [...notes, ...network.notes],
      consoleLog: machineFiles(starts.at(-1)?.plan ?? plan).console,
    };
    const keep = (what: Rehearsal): Promise<void> =>
      writeFileDurably(join(logFolder, 'rehearsal.json'), `${JSON.stringify(what, null, 2)}\n`);
    // Before the receipt is waited for: what was found is kept in any case.
    await keep(rehearsal);
    const kept = await inReceipt(iso, rehearsal, host);
    if (kept !== rehearsal) await keep(kept);
    return kept;
  } finally {
    await rm(scratch, { recursive: true, force: true });
  }
}

/** What was found is worth telling, also where the receipt cannot be added to. */
async function inReceipt(iso: string, rehearsal: Rehearsal, host: Pick<Host, 'sleep'>): Promise<Rehearsal> {
  const without = (why: string): Rehearsal => ({
    ...rehearsal,
    notes: [...rehearsal.notes, `the receipt does not have this rehearsal: ${why}`],
  });
  try {
    const path = await keepRehearsal(iso, rehearsal, host);
    return path === undefined ? without('the site was built again meanwhile') : rehearsal;
  } catch (error) {
    return without(error instanceof Error ? error.message : String(error));
  }
}

/**
 * The cards on the network that is wanted. A card with IPv6 alone stays on QEMU's own, which knows it: there nothing is
 * answered but that a connection is refused.
 */
async function playNetwork(
  kind: NetworkKind,
  site: Site,
  { cards }: MachinePlan,
  host: Pick<Host, 'now'>,
): Promise<AsyncDisposable & Pick<MachinePlan, 'cards'> & { readonly notes: string[] }> {
  const network = await openSiteNetwork(
    cards.map(({ subnet }) => planCardNetwork(kind, site, subnet)),
    host,
  );
  const six = cards.filter(({ hasIpv6, subnet }) => hasIpv6 && subnet === undefined);
  return {
    cards: cards.map((card, index) =>
      six.includes(card) ? card : { ...card, netdev: network.netdevs[index] ?? card.netdev },
    ),
    notes: six.map(({ mac }) => `--network is of IPv4: to the card ${mac} connections are refused`),
    [Symbol.asyncDispose]: () => network[Symbol.asyncDispose](),
  };
}

async function verifiedBuild(
  { paths }: Pick<Factory, 'paths'>,
  { name }: Site,
  signal: AbortSignal,
  host: Pick<Host, 'now'>,
): Promise<{ readonly receipt: Receipt; readonly iso: string }> {
  await using hasher = openFileHasher(Number.POSITIVE_INFINITY, signal);
  const wanted = { keys: [], requireSignature: false };
  return await verifyReceipt(join(paths.out, name, 'receipt.json'), wanted, hasher, host);
}

async function builtLock({ paths }: Pick<Factory, 'paths'>): Promise<Lock> {
  const lock = await loadLock(paths.lock);
  if (lock !== undefined) return lock;
  throw new EdgefabError(`there is no ${paths.lock}: which images must be there?`, {
    code: 'LOCK_STALE',
    suggestions: ['Run edgefab precache and edgefab iso first'],
    place: { file: paths.lock },
  });
}

interface Built {
  readonly site: Site;
  readonly receipt: Pick<Receipt, 'buildId' | 'cacheId'>;
  readonly ignition: Ignition;
  readonly lock: Lock;
}

function wantedPhases(
  { site, receipt: { buildId, cacheId }, ignition, lock }: Built,
  { install }: Pick<RehearseOptions, 'install'>,
): WantedPhases {
  const port = Number(unitSettings(ignition).get('EDGEFAB_PORT') ?? REGISTRY_PORT);
  const wanted = (
    phase: Phase,
    units: readonly string[],
    others: readonly string[],
    images: Expected['images'],
  ): WantedPhase => ({
    awaited: { phase, units, others },
    expected: { phase, site, buildId, cacheId, port, images },
  });
  const bootstrap = lock.images
    .filter(({ roles }) => roles.includes('bootstrap'))
    .filter(isThere('live', site, lock));
  const node = lock.images
    .filter(({ requiredBy }) => requiredBy.some((who) => who.startsWith(BY_NODE)))
    .filter(isThere('installed', site, lock));
  return {
    live: wanted('live', liveUnits(ignition), [], bootstrap),
    installed:
      install === undefined
        ? undefined
        : { ...wanted('installed', installedUnits(ignition), NODE_UNITS, node), ...install },
  };
}

/** Tells what a system can be asked for: where images are loaded into its store, no signature is among them. */
function isThere(phase: Phase, { cache }: Site, lock: Lock): (image: LockedImage) => boolean {
  if (cache.mode === 'registry') return () => true;
  const loaded = preloadImages(lock).filter((image) => image.phase === 'both' || image.phase === phase);
  const references = new Set(loaded.map(({ reference }) => reference));
  return ({ source, digest }) => references.has(`${source}@${digest}`);
}
