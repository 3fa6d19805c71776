import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { serializeIgnition } from '../../src/boot/ignition/parse-ignition.ts';
import { bipIgnition, type DemoLine } from '../support/bip-ignition.ts';
import { startQuayRelease, TOOL_IMAGE } from '../support/quay-release.ts';
import { bootstrapNames } from '../support/quay-world.ts';
import { runEdgefab } from '../support/run-edgefab.ts';
import { tempFolder } from '../support/temp-folder.ts';
import { makeCacheDisk } from './cache-disk.ts';
import { withStandIns } from './stand-ins.ts';

export interface LabSite {
  readonly folder: string;
  /** Image of the cache disk. */
  readonly disk: string;
  /** Each image of the release by its name in the payload. */
  readonly components: ReadonlyMap<string, string>;
}

export interface LabSiteOptions {
  readonly line: DemoLine;
  readonly version: string;
  readonly liveIso: string;
  /** Partition label of the cache disk, when it is to be wrong. */
  readonly label?: string;
  /** Where the cache is; `usb` unless given. */
  readonly location?: 'usb' | 'installDisk';
  /** Payload images the bootstrap runs; those of the made-up config unless given. */
  readonly imageNames?: readonly string[];
}

async function edgefab(folder: string, ...args: readonly string[]): Promise<void> {
  const { status, stderr } = await runEdgefab(args, { cwd: folder });
  if (status !== 0) throw new Error(`edgefab ${args.join(' ')} ended with ${status}: ${stderr}`);
}

/** Makes a factory with one site, `bip`, as a user would: its cache on a disk, its ISO built from the lab's image. */
export async function makeLabSite(options: LabSiteOptions): Promise<LabSite> {
  const folder = tempFolder();
  const at = (name: string): string => join(folder, name);
  mkdirSync(at('registry'));
  // The last one is asked for after the reboot.
  const made = {
    line: options.line,
    ...(options.imageNames === undefined ? {} : { imageNames: options.imageNames }),
  };
  const names = [...bootstrapNames([bipIgnition(made)]), 'baremetal-runtimecfg'];
  const release = await startQuayRelease(at('registry'), options.version, names);
  try {
    writeFileSync(at('registries.conf'), release.registriesConf);
    writeFileSync(
      at('imageset.yaml'),
      `apiVersion: mirror.openshift.io/v2alpha1\nkind: ImageSetConfiguration\nmirror:\n  platform:\n    release: ${release.image}\n`,
    );
    const reference = (name: string): string => release.components.get(name) ?? '';
    const ignition = withStandIns(bipIgnition({ ...made, releaseImage: release.image }), {
      operator: reference('machine-config-operator'),
      os: reference('rhel-coreos'),
    });
    writeFileSync(at('bip.ign'), serializeIgnition(ignition));
    writeFileSync(
      at('factory.yaml'),
      `apiVersion: edgefab.io/v1
kind: Factory
release: { image: "${release.image}", arch: x86_64 }
imageSet: imageset.yaml
registry: { image: "${TOOL_IMAGE}" }
media: { liveIso: ${options.liveIso} }
defaults:
  domain: example.com
  cache: { mode: registry, location: ${options.location ?? 'usb'} }
sites:
  - name: bip
    ignition: bip.ign
    machine: { ramMiB: 3072 }
    ntp: { servers: [192.168.86.1] }
    network:
      mac: "28:d2:44:d3:ef:1c"
      address: 192.168.86.45/24
      gateway: 192.168.86.1
      dns: [192.168.86.27]
`,
    );
    const registries = ['--registries-conf', at('registries.conf'), '--quiet'];
    await edgefab(folder, 'precache', ...registries);
    await edgefab(folder, 'iso');
  } finally {
    await release.close();
  }
  makeCacheDisk(at('cache.img'), at('cache'), options);
  return { folder, disk: at('cache.img'), components: release.components };
}
