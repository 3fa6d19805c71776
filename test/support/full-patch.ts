import type { Ignition } from '../../src/boot/ignition/ignition.ts';
import { releaseImage } from '../../src/boot/ignition/release-image.ts';
import type { PatchOptions, RegistryDelivery } from '../../src/boot/patch/patch-ignition.ts';
import type { RegistryCertificates } from '../../src/boot/patch/registry-certificates.ts';
import type { DemoLine } from './bip-ignition.ts';
import { BUILD, PATCH_OPTIONS } from './patch-options.ts';
import { BUILD_TIME, loopbackLeaf, registryCa } from './registry-ca.ts';

const CA = registryCa();
const LEAF = loopbackLeaf(CA);

/** One CA and one leaf for all of a run. */
export const CERTIFICATES: RegistryCertificates = {
  caPem: CA.certPem,
  certificatePem: LEAF.certificate,
  keyPem: LEAF.key,
};

/** The private key of the CA, which must be nowhere. */
export const CA_KEY = CA.keyPem;

/** Releases that stand for all between them: whose shape a made-up config has, and what it is said to install. */
export const LINES: readonly { readonly shape: DemoLine; readonly version: string }[] = [
  { shape: '4.13', version: '4.12.58' },
  { shape: '4.13', version: '4.13.1' },
  { shape: '4.18', version: '4.18.9' },
  { shape: '4.21', version: '4.21.3' },
];

/** The real configs of the conformance data, by the release they are from. */
export const REAL_LINES: readonly { readonly name: string; readonly version: string }[] = [
  { name: 'bip-4.13', version: '4.13.1' },
  { name: 'bip-4.18', version: '4.18.9' },
  { name: 'bip-4.21', version: '4.21.3' },
];

const HEX = 'c'.repeat(64);
const CATALOG = 'registry.example.com/catalogs/operator-index';
const TOOLS = 'registry.example.com:5000/own/tools';
const MANIFEST = 'apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: own\n  namespace: openshift-config\n';
const KEYFILE =
  '[connection]\nid=edgefab-lan\ntype=ethernet\n[ethernet]\nmac-address=28:D2:44:D3:EF:1C\n[ipv4]\nmethod=manual\naddress1=192.168.86.45/24,192.168.86.1\n';

export interface FullPatchSettings {
  readonly version: string;
  readonly mode?: 'registry' | 'preload';
  readonly location?: 'usb' | 'installDisk';
  /** Paths of Butane files. */
  readonly userOverlays?: readonly string[];
}

function delivery(
  ignition: Ignition,
  { version, location = 'installDisk' }: FullPatchSettings,
): RegistryDelivery {
  const [release = ''] = releaseImage(ignition).split('@');
  const repositories = [release, CATALOG, TOOLS, 'registry.example.com/distribution'].map((source) => ({
    source,
    mirror: `localhost:22626/${source.replace(':', '__')}`,
  }));
  return {
    settings: {
      port: 22626,
      cacheLabel: location === 'usb' ? 'edgefab' : 'edgefab-node',
      cacheId: 'cache-1',
      tool: {
        reference: `registry.example.com/distribution@sha256:${HEX}`,
        view: `views/dir/registry.example.com/distribution@sha256-${HEX}`,
      },
      keepOnNode: location === 'usb',
      buildTime: BUILD_TIME,
    },
    certificates: CERTIFICATES,
    repositories,
    // Releases before 4.13 have no mirrors for tags, and such a patch is refused.
    tagged: version.startsWith('4.12.') ? [] : [{ reference: `${TOOLS}:1`, digest: `sha256:${HEX}` }],
    catalogs: [`${CATALOG}@sha256:${HEX}`],
  };
}

/** Options with which every step of a mode has something to do. */
export function fullPatch(ignition: Ignition, settings: FullPatchSettings): PatchOptions {
  const { version, mode = 'registry', location = 'installDisk', userOverlays = [] } = settings;
  return {
    ...PATCH_OPTIONS,
    build: { ...BUILD, location, installDisk: '/dev/sda' },
    cacheMode: mode,
    version,
    ...(mode === 'registry' ? { registry: delivery(ignition, settings) } : {}),
    network: [{ name: 'edgefab-lan.nmconnection', text: KEYFILE }],
    localDns: { clusterName: 'bip', domain: 'example.com', nodeAddresses: ['192.168.86.45'] },
    ntpServers: ['10.0.0.1'],
    manifests: [{ name: 'own.yaml', text: MANIFEST }],
    userOverlays,
  };
}
