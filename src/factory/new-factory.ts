import { mkdir, stat, writeFile } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { EdgefabError } from '../errors.ts';
import { readPackaged } from '../packaged.ts';

/** What a new factory starts with. Paths are written as they are, relative ones from the factory's folder. */
export interface NewFactory {
  readonly site: string;
  readonly releaseImage: string;
  readonly arch: string;
  readonly liveIso: string;
  readonly additionalImages: readonly string[];
  /** The image that serves the cache on the machine; without it the usual one. */
  readonly registryImage?: string;
  /** A ready Ignition; without it openshift-install makes one from install-config.yaml. */
  readonly ignition?: string;
}

export const EXAMPLE_FACTORY: NewFactory = {
  site: 'bip',
  releaseImage:
    'quay.io/openshift-release-dev/ocp-release@sha256:0000000000000000000000000000000000000000000000000000000000000000',
  arch: 'x86_64',
  liveIso: 'media/rhcos-live.x86_64.iso',
  additionalImages: [],
};

function factoryYaml(content: NewFactory): string {
  const { ignition } = content;
  const installer =
    ignition === undefined
      ? `installConfig: install-config.yaml       # base for openshift-install; edgefab fills in each site
pullSecret: { file: pull-secret.json }   # by path or env only, never written here
sshKeys: []                              # - { file: ~/.ssh/id_ed25519.pub }
`
      : '';
  const ready = ignition === undefined ? '' : `    ignition: ${ignition}\n`;
  const registry =
    content.registryImage === undefined ? '' : `registry: { image: "${content.registryImage}" }\n`;
  const installDisk = ignition === undefined ? '  installDisk: { path: /dev/sda }\n' : '';
  return `# yaml-language-server: $schema=${FACTORY_SCHEMA}
# What this factory builds. Every key is checked; edgefab plan says what is wrong and what it will cost.
apiVersion: edgefab.io/v1
kind: Factory
release:
  # The exact release image, by digest. All zeros is a placeholder: oc adm release info VERSION prints yours.
  image: ${content.releaseImage}
  arch: ${content.arch}
imageSet: imageset.yaml
${installer}${registry}media:
  liveIso: ${content.liveIso}   # the CoreOS live ISO that fits the release
paths:
  cache: cache                           # where the cache disk is mounted
  out: out
  lock: edgefab.lock
# signingKey: { file: receipt.key }      # receipts are signed; openssl genpkey -algorithm ed25519 -out receipt.key
defaults:                                # any key of a site but its name; a site's own key comes first
  domain: edge.example.com
${installDisk}  # registry: the node is served from the disk, nothing is downloaded. usb or installDisk: where the disk's cache is
  cache: { mode: registry, location: usb, keepOnNode: true }
  dns: local                             # the node answers for api, api-int, *.apps; site: a DNS server there does
  # ntp: { servers: [192.168.86.1] }
  # certificates: { validFor: 30d, shelfLife: 7d }   # without: those of the installer end after 24 hours
  # machine: { ramMiB: 32768 }           # plan says when the live phase needs more
  # overlays: [overlays/common.bu]       # Butane files merged into every stick
  # manifests: [manifests/storage.yaml]  # applied to the cluster
  # kargs: { append: [console=ttyS0] }   # of the live system
# A table instead of a list, its columns dotted keys such as network.mac: { from: sites.csv }
sites:
  - name: ${content.site}
${ready}    network:
      mac: "28:d2:44:d3:ef:1c"           # by MAC wherever you know it: a wrong interface name boots without DNS
      address: 192.168.86.45/24
      gateway: 192.168.86.1
      dns: [192.168.86.27]
`;
}

/** Where editors find what may be written, beside the factory: it fits this edgefab, and no network is asked. */
const FACTORY_SCHEMA = '.edgefab/factory.schema.json';
const IMAGESET_SCHEMA = '.edgefab/imageset.schema.json';

function imageSetYaml({ additionalImages }: NewFactory): string {
  const images =
    additionalImages.length === 0
      ? ' []'
      : `\n${additionalImages.map((name) => `    - name: ${name}`).join('\n')}`;
  return `# yaml-language-server: $schema=${IMAGESET_SCHEMA}
# Images beyond the release that the cache is to hold.
apiVersion: mirror.openshift.io/v2alpha1
kind: ImageSetConfiguration
mirror:
  additionalImages:${images}
`;
}

const INSTALL_CONFIG = `# Base of every site's install-config; edgefab fills in name, domain, disk, pull secret and ssh keys.
apiVersion: v1
compute:
  - name: worker
    replicas: 0
controlPlane:
  name: master
  replicas: 1
networking:
  networkType: OVNKubernetes
  machineNetwork:
    - cidr: 192.168.86.0/24
platform:
  none: {}
`;

/** Writes a new factory into a folder and returns the files' names. Never replaces a file: throws TARGET_EXISTS. */
export async function writeNewFactory(folder: string, content: NewFactory): Promise<string[]> {
  const files = new Map([
    ['factory.yaml', factoryYaml(content)],
    ['imageset.yaml', imageSetYaml(content)],
    ...(content.ignition === undefined ? ([['install-config.yaml', INSTALL_CONFIG]] as const) : []),
  ]);
  await mkdir(join(folder, dirname(FACTORY_SCHEMA)), { recursive: true });
  for (const name of files.keys()) {
    if ((await stat(join(folder, name)).catch(() => undefined)) !== undefined) {
      throw new EdgefabError(`${join(folder, name)} is there already`, {
        code: 'TARGET_EXISTS',
        suggestions: ['Name an empty folder, or edit the factory that is there'],
        place: { file: join(folder, name) },
      });
    }
  }
  for (const [name, text] of files) await writeFile(join(folder, name), text, { flag: 'wx' });
  // Ours, and replaced by those of a newer edgefab.
  for (const schema of [FACTORY_SCHEMA, IMAGESET_SCHEMA])
    await writeFile(join(folder, schema), await readPackaged(`schemas/${basename(schema)}`));
  return [...files.keys()];
}
