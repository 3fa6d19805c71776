import { mkdir, mkdtemp, open, rm } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import type { Ignition } from '../../boot/ignition/ignition.ts';
import { REGISTRY_PORT } from '../../boot/patch/registry-settings.ts';
import { EdgefabError } from '../../errors.ts';
import { parsePcap } from '../../formats/pcap.ts';
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
import { embeddedIgnition } from './embedded-ignition.ts';
import type { Expected } from './guest-checks.ts';
import { unitSettings } from './machine-parts.ts';
import { describeTraffic, type NetworkTraffic } from './network-traffic.ts';
import { type MachineOptions, prepareMachine } from './prepare-machine.ts';
import { type MachinePlan, machineFiles } from './qemu-command.ts';
import type { Check, Rehearsal } from './rehearsal.ts';
import { type Watched, type WatchOptions, watchMachine } from './watch-machine.ts';

export interface RehearseOptions extends MachineOptions, WatchOptions {
  /** Where sockets and the disks that are thrown away go. */
  readonly temporaryFolder: string;
}

type RehearseHost = Pick<Host, 'run' | 'sleep' | 'now' | 'randomBytes'>;

/** Beside the ISO: one process at a time rehearses a site. */
const LOCK_FILE = '.rehearsal.lock';
const OWN_UNIT = /^edgefab-[\w-]+\.(?:service|path)$/;
const MAX_CAPTURE_BYTES = 256 * 1024 ** 2;

/**
 * Boots what was built for a site in a virtual machine whose network leads nowhere, and looks whether all that is
 * needed for an install is there. Logs and `rehearsal.json` go to `out/SITE/rehearsal/`. Throws what `verifyReceipt`
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
  const expected = await expectedOf(factory, site, receipt, ignition);
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
    const units = ignition.units
      .filter(({ name, enabled }) => enabled === true && OWN_UNIT.test(name))
      .map(({ name }) => name);
    const { accelerator, ...watched } = await watchWherePossible(plan, units, expected, options, host);
    const traffic = await trafficOf(plan);
    const checks = [...watched.checks, trafficCheck(traffic, watched.seconds)];
    const rehearsal: Rehearsal = {
      site: site.name,
      buildId: receipt.buildId,
      verdict: checks.every(({ state }) => state === 'good') ? 'passed' : 'failed',
      firmware: options.firmware,
      accelerator,
      memoryMiB: plan.memoryMiB,
      seconds: watched.seconds,
      checks,
      timeline: watched.timeline,
      attempts: traffic.attempts,
      payloadBytes: traffic.payloadBytes,
      notes,
      consoleLog: machineFiles(plan).console,
    };
    await writeFileDurably(join(logFolder, 'rehearsal.json'), `${JSON.stringify(rehearsal, null, 2)}\n`);
    return rehearsal;
  } finally {
    await rm(scratch, { recursive: true, force: true });
  }
}

/** Starts without KVM where that cannot do all a boot loader does: it is so inside of some virtual machines. */
async function watchWherePossible(
  plan: MachinePlan,
  units: readonly string[],
  expected: Expected,
  options: RehearseOptions,
  host: RehearseHost,
): Promise<Watched & Pick<MachinePlan, 'accelerator'>> {
  const watched = await watchMachine(plan, units, expected, options, host);
  if (watched !== 'stuck') return { ...watched, accelerator: plan.accelerator };
  options.onNews('KVM gave up here: starting once more without it');
  const slow = await watchMachine({ ...plan, accelerator: 'tcg' }, units, expected, options, host);
  if (slow !== 'stuck') return { ...slow, accelerator: 'tcg' };
  throw new EdgefabError('QEMU gave up on the machine', {
    code: 'TOOL_FAILED',
    suggestions: ['Rehearse on another workstation'],
  });
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

async function expectedOf(
  { paths }: Pick<Factory, 'paths'>,
  site: Site,
  { buildId, cacheId }: Receipt,
  ignition: Ignition,
): Promise<Expected> {
  const lock = await loadLock(paths.lock);
  if (lock === undefined) {
    throw new EdgefabError(`there is no ${paths.lock}: which images must be there?`, {
      code: 'LOCK_STALE',
      suggestions: ['Run edgefab precache and edgefab iso first'],
      place: { file: paths.lock },
    });
  }
  const port = Number(unitSettings(ignition).get('EDGEFAB_PORT') ?? REGISTRY_PORT);
  const images = lock.images.filter(({ roles }) => roles.includes('bootstrap')).filter(isThere(site, lock));
  return { site, buildId, cacheId, port, images };
}

/** Tells what the live system can be asked for: where images are loaded into its store, no signature is among them. */
function isThere({ cache }: Site, lock: Lock): (image: LockedImage) => boolean {
  if (cache.mode === 'registry') return () => true;
  const loaded = preloadImages(lock).filter(({ phase }) => phase !== 'installed');
  const references = new Set(loaded.map(({ reference }) => reference));
  return ({ source, digest }) => references.has(`${source}@${digest}`);
}

async function trafficOf(plan: MachinePlan): Promise<NetworkTraffic> {
  const frames = [];
  for (const path of machineFiles(plan).captures) {
    await using file = await open(path, 'r');
    const { size } = await file.stat();
    const bytes = Buffer.alloc(Math.min(size, MAX_CAPTURE_BYTES));
    const { bytesRead } = await file.read(bytes, 0, bytes.length, 0);
    frames.push(...parsePcap(bytes.subarray(0, bytesRead), path));
  }
  frames.sort((one, other) => one.timeMs - other.timeMs);
  return describeTraffic(
    frames,
    plan.cards.map(({ mac }) => mac),
  );
}

function trafficCheck({ payloadBytes, attempts, frames }: NetworkTraffic, seconds: number): Check {
  const tried = attempts.reduce((sum, { count }) => sum + count, 0);
  return {
    name: 'nothing from outside',
    state: payloadBytes === 0 ? 'good' : 'failed',
    detail: `${payloadBytes} bytes of payload received in ${frames} frames; asked for something ${tried} times`,
    seconds,
  };
}
