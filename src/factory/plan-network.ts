import type { Ignition } from '../boot/ignition/ignition.ts';
import type { NetworkFile } from '../boot/iso/initrd.ts';
import type { IsoFeatures } from '../boot/iso/iso-image.ts';
import { networkKargs } from '../boot/network/network-kargs.ts';
import { type Keyfile, renderKeyfiles } from '../boot/network/render-keyfiles.ts';
import { EdgefabError } from '../errors.ts';
import type { Site } from './site.ts';

/** How the live system learns its network, in the words that `plan` and the receipt use. */
export type NetworkWay = 'keyfile in the embed area' | 'kernel arguments' | 'DHCP';

/** A site's network in both phases. */
export interface NetworkPlan {
  readonly way: NetworkWay;
  /** Of the installed node, and of the live system where its image reads them. */
  readonly keyfiles: readonly Keyfile[];
  /** For the embed area; undefined where the image reads none. Empty: none may be left there from before. */
  readonly networkFiles?: readonly NetworkFile[];
  readonly kargs: readonly string[];
}

/** Where a live system has network profiles of its own; with any there, it leaves those of the initramfs behind. */
const OWN_PROFILES = ['/etc/NetworkManager/system-connections/', '/etc/sysconfig/network-scripts/'];

/** Tells a live system to take over the profiles of the initramfs even so. */
const TAKE_OVER = 'coreos.force_persist_ip';

/**
 * The argument a live system needs to take over the profiles of its initramfs although `ignition`, the config that is
 * embedded, brings profiles of its own; none where it brings none.
 */
export function takeOverKargs({ way }: NetworkPlan, ignition: Ignition): string[] {
  const own = ignition.files.some(({ path }) => OWN_PROFILES.some((folder) => path.startsWith(folder)));
  return own && way !== 'DHCP' ? [TAKE_OVER] : [];
}

/**
 * Plans a site's network. Keyfiles go into the embed area where the image says that it reads them, as every RHCOS
 * from 4.12 on does: the one file is then there before Ignition runs, in the live system and, by MachineConfig, on the
 * node, and coreos-installer can show it. Kernel arguments are for older images. Throws USAGE_INVALID.
 */
export function planNetwork(site: Site, features: Pick<IsoFeatures, 'liveInitrdNetwork'>): NetworkPlan {
  const { network, hostname, name } = site;
  if (network === undefined || network.interfaces.length === 0)
    return {
      way: 'DHCP',
      keyfiles: [],
      kargs: [],
      ...(features.liveInitrdNetwork ? { networkFiles: [] } : {}),
    };
  try {
    const keyfiles = renderKeyfiles(network);
    if (features.liveInitrdNetwork) {
      const networkFiles = keyfiles.map((file) => ({ name: file.name, bytes: Buffer.from(file.text) }));
      return { way: 'keyfile in the embed area', keyfiles, networkFiles, kargs: [] };
    }
    return { way: 'kernel arguments', keyfiles, kargs: networkKargs(network, hostname) };
  } catch (cause) {
    if (!(cause instanceof EdgefabError)) throw cause;
    const { code, message, place } = cause;
    throw new EdgefabError(`site ${name}: ${message}`, { code, cause, place: { ...site.place, ...place } });
  }
}
