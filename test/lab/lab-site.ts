import { execFileSync } from 'node:child_process';
import { copyFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { withDropin } from '../../src/boot/ignition/edit-ignition.ts';
import type { Ignition } from '../../src/boot/ignition/ignition.ts';
import { serializeIgnition } from '../../src/boot/ignition/parse-ignition.ts';
import { tempFolder } from '../support/temp-folder.ts';
import { makeCacheDisk } from './cache-disk.ts';
import {
  configOf,
  edgefabIn,
  factoryText,
  type LabStock,
  type LabStockOptions,
  labStock,
} from './lab-stock.ts';

export interface LabSite {
  readonly folder: string;
  /** Image of the cache disk. */
  readonly disk: string;
  readonly stock: LabStock;
  /** Each image of the release by its name in the payload. */
  readonly components: ReadonlyMap<string, string>;
}

export interface LabSiteOptions extends LabStockOptions {
  readonly liveIso: string;
  /** Partition label of the cache disk, when it is to be wrong. */
  readonly label?: string;
  /** `registry` unless given. */
  readonly mode?: 'registry' | 'preload';
  /** Where the cache is; `usb` unless given. */
  readonly location?: 'usb' | 'installDisk';
  /** How long the live system waits for the cache disk, in seconds; as a user's does unless given. */
  readonly waitSeconds?: number;
  /** How long the certificates of the config are to last, such as 30d; as they are unless given. */
  readonly validFor?: string;
  /** Changes a copy of the cache, which then goes onto the disk. */
  readonly damage?: (cache: string, stock: LabStock) => void;
}

/** What the made site has in its factory.yaml. */
export const LAB_NETWORK = {
  mac: '28:d2:44:d3:ef:1c',
  address: '192.168.86.45/24',
  gateway: '192.168.86.1',
  dns: '192.168.86.27',
} as const;

/** The registry comes up in seconds, and in minutes on an emulated machine beside others. */
const PATIENCE = {
  name: '90-lab.conf',
  contents: '[Service]\nEnvironment=EDGEFAB_READY_SECONDS=600\nTimeoutStartSec=15min\n',
};

function impatient(ignition: Ignition, waitSeconds: number): Ignition {
  const contents = `[Service]\nEnvironment=EDGEFAB_WAIT_SECONDS=${waitSeconds}\n`;
  return ['edgefab-cache.service', 'edgefab-files.service'].reduce(
    (now, unit) => withDropin(now, unit, { name: '90-lab.conf', contents }),
    ignition,
  );
}

/** Copies the image of a cache disk, and gives its partition another label. */
export function relabelled(disk: string, label: string, copy: string): string {
  execFileSync('cp', ['--sparse=always', '--reflink=auto', disk, copy]);
  execFileSync('sgdisk', [`--change-name=1:${label}`, copy], { stdio: 'ignore' });
  return copy;
}

/** Makes a factory with one site, `bip`, as a user would: its cache on a disk, its ISO built from the lab's image. */
export async function makeLabSite(options: LabSiteOptions): Promise<LabSite> {
  const { mode = 'registry', location = 'usb', validFor, waitSeconds } = options;
  const stock = await labStock(options);
  const folder = tempFolder();
  const at = (name: string): string => join(folder, name);
  for (const name of ['imageset.yaml', 'edgefab.lock']) copyFileSync(join(stock.folder, name), at(name));
  const patient = withDropin(configOf(options, stock), 'edgefab-registry-ready.service', PATIENCE);
  const ignition = waitSeconds === undefined ? patient : impatient(patient, waitSeconds);
  writeFileSync(at('bip.ign'), serializeIgnition(ignition), { mode: 0o600 });
  const { mac, address, gateway, dns } = LAB_NETWORK;
  const site = `    machine: { ramMiB: 3072 }
${validFor === undefined ? '' : `    certificates: { validFor: ${validFor} }\n`}    ntp: { servers: [${gateway}] }
    cache: { mode: ${mode}, location: ${location} }
    network: { mac: "${mac}", address: ${address}, gateway: ${gateway}, dns: [${dns}] }
`;
  const paths = `paths: { cache: ${stock.cache} }\n`;
  writeFileSync(at('factory.yaml'), factoryText(stock.releaseImage, options.liveIso, site, paths));
  await edgefabIn(folder, 'iso');
  return { folder, disk: diskOf(options, stock, at), stock, components: stock.components };
}

function diskOf(
  { label, location, damage }: LabSiteOptions,
  stock: LabStock,
  at: (name: string) => string,
): string {
  const disk = at('cache.img');
  const place = {
    ...(label === undefined ? {} : { label }),
    ...(location === undefined ? {} : { location }),
  };
  if (damage !== undefined) {
    execFileSync('cp', ['-a', '--reflink=auto', stock.cache, at('cache')]);
    damage(at('cache'), stock);
    makeCacheDisk(disk, at('cache'), place);
    return disk;
  }
  if (location === 'installDisk') {
    makeCacheDisk(disk, stock.cache, place);
    return disk;
  }
  return label === undefined ? stock.disk : relabelled(stock.disk, label, disk);
}
