import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Ignition } from '../../src/boot/ignition/ignition.ts';
import { serializeIgnition } from '../../src/boot/ignition/parse-ignition.ts';
import { bipIgnition, type DemoLine, RELEASE_IMAGE } from '../support/bip-ignition.ts';
import { startQuayRelease, TOOL_IMAGE } from '../support/quay-release.ts';
import { bootstrapNames } from '../support/quay-world.ts';
import { runEdgefab } from '../support/run-edgefab.ts';
import { makeCacheDisk } from './cache-disk.ts';
import { keptPiece, keyOf } from './kept-piece.ts';
import { withStandIns } from './stand-ins.ts';

/** What sites of one release stand on. */
export interface LabStock {
  /** Has imageset.yaml and edgefab.lock. */
  readonly folder: string;
  readonly cache: string;
  /** Image of a disk with that cache, labelled `edgefab`. */
  readonly disk: string;
  readonly releaseImage: string;
  /** Each component's reference by its name in the payload. */
  readonly components: ReadonlyMap<string, string>;
}

export interface LabStockOptions {
  readonly line: DemoLine;
  readonly version: string;
  /** Payload images the bootstrap runs; those of the made-up config unless given. */
  readonly imageNames?: readonly string[];
  /** The config of the sites, given the release and its components; a made-up one of the line unless given. */
  readonly source?: (releaseImage: string, components: LabStock['components']) => Ignition;
  /** The single executable, to be taken along on the disk. */
  readonly executable?: string;
}

const here = (name: string): string => fileURLToPath(new URL(name, import.meta.url));

/** Runs the built program in a folder; throws what it says when it does not end well. */
export async function edgefabIn(folder: string, ...args: readonly string[]): Promise<void> {
  const { status, stderr } = await runEdgefab(args, { cwd: folder });
  if (status !== 0) throw new Error(`edgefab ${args.join(' ')} ended with ${status}: ${stderr}`);
}

/** Text of a factory.yaml around its sites. `site`: lines of the one site, `bip`, indented by four. */
export function factoryText(releaseImage: string, liveIso: string, site: string, more = ''): string {
  return `apiVersion: edgefab.io/v1
kind: Factory
release: { image: "${releaseImage}", arch: x86_64 }
imageSet: imageset.yaml
registry: { image: "${TOOL_IMAGE}" }
media: { liveIso: ${liveIso} }
${more}defaults:
  domain: example.com
sites:
  - name: bip
    ignition: bip.ign
${site}`;
}

/** The config of sites that stand on this release. */
export function configOf(
  { line, imageNames, source }: LabStockOptions,
  { releaseImage, components }: Pick<LabStock, 'releaseImage' | 'components'>,
): Ignition {
  const made = { line, releaseImage, ...(imageNames === undefined ? {} : { imageNames }) };
  const reference = (name: string): string => components.get(name) ?? '';
  return (
    source?.(releaseImage, components) ??
    withStandIns(bipIgnition(made), {
      operator: reference('machine-config-operator'),
      os: reference('rhel-coreos'),
    })
  );
}

/** Gives the cache of a made-up release and its disk, filled once as a user would, and kept between runs. */
export async function labStock(options: LabStockOptions): Promise<LabStock> {
  const { line, version, executable } = options;
  const nameless = configOf(options, { releaseImage: RELEASE_IMAGE, components: new Map() });
  // The last one is asked for after the reboot.
  const names = [...bootstrapNames([nameless]), 'baremetal-runtimecfg'];
  const key = keyOf([
    ...['../../src', '../support', 'lab-stock.ts', 'cache-disk.ts'].map(here),
    version,
    ...names,
    ...(executable === undefined ? [] : [executable]),
  ]);
  // Two of a kind are kept: what scenes use one after the other must not be one kind.
  const kind = ['stock', line, names.length, ...(executable === undefined ? [] : ['program'])].join('-');
  const folder = await keptPiece(kind, key, async (making) => {
    const at = (name: string): string => join(making, name);
    mkdirSync(at('registry'));
    const release = await startQuayRelease(at('registry'), version, names);
    try {
      writeFileSync(at('registries.conf'), release.registriesConf);
      writeFileSync(
        at('imageset.yaml'),
        `apiVersion: mirror.openshift.io/v2alpha1\nkind: ImageSetConfiguration\nmirror:\n  platform:\n    release: ${release.image}\n`,
      );
      const { image: releaseImage, components } = release;
      const config = configOf(options, { releaseImage, components });
      writeFileSync(at('bip.ign'), serializeIgnition(config), { mode: 0o600 });
      writeFileSync(at('factory.yaml'), factoryText(release.image, 'none.iso', ''));
      writeFileSync(at('none.iso'), '');
      const program = executable === undefined ? [] : ['--executable', executable];
      await edgefabIn(making, 'precache', '--registries-conf', 'registries.conf', '--quiet', ...program);
      writeFileSync(at('release.json'), JSON.stringify({ releaseImage, components: [...components] }));
    } finally {
      await release.close();
    }
    for (const name of ['registry', 'none.iso', 'bip.ign', 'factory.yaml', 'registries.conf'])
      rmSync(at(name), { recursive: true });
    makeCacheDisk(at('cache.img'), at('cache'));
  });
  const { releaseImage, components } = JSON.parse(readFileSync(join(folder, 'release.json'), 'utf8')) as {
    releaseImage: string;
    components: [string, string][];
  };
  return {
    folder,
    cache: join(folder, 'cache'),
    disk: join(folder, 'cache.img'),
    releaseImage,
    components: new Map(components),
  };
}
