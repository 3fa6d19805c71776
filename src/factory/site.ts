import type { MachineNetwork } from '../boot/network/machine-network.ts';
import type { Place } from '../errors.ts';

/** One machine to be built, with the defaults laid under it and every path absolute. */
export interface Site {
  readonly name: string;
  readonly clusterName: string;
  /** Undefined only with a ready `ignition`. */
  readonly domain?: string;
  readonly hostname: string;
  /** A ready bootstrap-in-place Ignition config, used instead of running the installer. */
  readonly ignition?: string;
  readonly machine: { readonly ramMiB?: number };
  /** Undefined only with a ready `ignition`. */
  readonly installDisk?: { readonly byId: string } | { readonly path: string };
  readonly cache: {
    readonly mode: 'registry' | 'preload';
    readonly location: 'usb' | 'installDisk';
    readonly keepOnNode: boolean;
    readonly serve?: 'node';
  };
  readonly dns: 'local' | 'site';
  /** Undefined when the site says nothing: the live system then asks DHCP. */
  readonly network?: MachineNetwork;
  readonly ntp: { readonly servers: readonly string[] };
  readonly certificates: { readonly validForMs?: number; readonly shelfLifeMs?: number };
  readonly overlays: readonly string[];
  readonly manifests: readonly string[];
  readonly kargs: { readonly append: readonly string[]; readonly delete: readonly string[] };
  /** Where the site is written. */
  readonly place: Place;
}
