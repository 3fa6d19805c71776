import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { onTestFinished } from 'vitest';
import { demoBipIgnition } from '../../src/factory/demo/bip-ignition.ts';
import { makeCoreosIso } from '../../src/factory/demo/coreos-iso.ts';
import { startDemoRegistry } from '../../src/factory/demo/made-release.ts';
import { tempFolder } from './temp-folder.ts';

export interface MadeFactory {
  readonly folder: string;
  /** HOST:PORT of the registry that serves the release until the test is over. */
  readonly registry: string;
  readonly releaseImage: string;
  /** Path of a file in the factory's folder. */
  at(...parts: string[]): string;
  /** Changes the text of factory.yaml. */
  edit(change: (yaml: string) => string): void;
}

export interface MadeFactoryOptions {
  /** Replaces the made-up Ignition; gets the release image of the registry. */
  readonly ignition?: (releaseImage: string) => Uint8Array;
  /** How the site gets its images; from a registry unless given. */
  readonly cacheMode?: 'preload' | 'registry';
  /** Version of the made-up release. */
  readonly version?: string;
  /** Path of another live ISO. */
  readonly liveIso?: string;
  /** Names of the sites, each with an address of its own; one, `bip`, unless given. */
  readonly sites?: readonly string[];
}

function siteYaml(name: string, index: number): string {
  return `  - name: ${name}
    ignition: bip.ign
    network:
      interface: enp0s25
      address: 192.168.${86 + Math.floor(index / 200)}.${45 + (index % 200)}/24
      gateway: 192.168.${86 + Math.floor(index / 200)}.1
      dns: [192.168.86.27]
`;
}

/** Makes a factory with one site, `bip`, or those named, whose registry, live ISO and Ignition are there. */
export async function makeFactory(options: MadeFactoryOptions = {}): Promise<MadeFactory> {
  const folder = tempFolder();
  const at = (...parts: string[]): string => join(folder, ...parts);
  const { server, releaseImage, toolsImage, registryImage } = await startDemoRegistry(
    at('registry'),
    options.version === undefined ? {} : { version: options.version },
  );
  onTestFinished(() => server.close());
  const ignition =
    options.ignition?.(releaseImage) ??
    demoBipIgnition({ clusterName: 'bip', domain: 'example.com', installDisk: '/dev/sda', releaseImage });
  writeFileSync(at('bip.ign'), ignition);
  if (options.liveIso === undefined) await makeCoreosIso(at('live.iso'));
  writeFileSync(
    at('imageset.yaml'),
    `apiVersion: mirror.openshift.io/v2alpha1
kind: ImageSetConfiguration
mirror:
  additionalImages:
    - name: ${toolsImage}
`,
  );
  writeFileSync(
    at('factory.yaml'),
    `apiVersion: edgefab.io/v1
kind: Factory
release: { image: "${releaseImage}", arch: x86_64 }
imageSet: imageset.yaml
registry: { image: "${registryImage}" }
media: { liveIso: ${options.liveIso ?? 'live.iso'} }
defaults:
  cache: { mode: ${options.cacheMode ?? 'registry'}, location: usb }
sites:
${(options.sites ?? ['bip']).map(siteYaml).join('')}`,
  );
  const edit = (change: (yaml: string) => string): void => {
    writeFileSync(at('factory.yaml'), change(readFileSync(at('factory.yaml'), 'utf8')));
  };
  return { folder, registry: server.host, releaseImage, at, edit };
}
