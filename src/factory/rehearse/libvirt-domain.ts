import { dottedNetmask, parseInterfaceAddress } from '../../formats/ip-address.ts';
import type { Site } from '../site.ts';
import { busOf, DEFAULT_MEMORY_MIB } from './machine-parts.ts';
import { planCards } from './network-cards.ts';

/** What a lab machine is described with; paths absolute. */
export interface LibvirtOptions {
  readonly iso: string;
  /** The cache disk: a device, or an image. */
  readonly disk: string;
  readonly installDisk: string;
  readonly memoryMiB: number | undefined;
  readonly firmware: 'bios' | 'uefi';
  readonly processors: number;
}

/** Files for those who keep lab machines with libvirt, by what each is for. */
export interface LibvirtFiles {
  readonly domain: string;
  /** A network without a way out, whose bridge has the router's address; undefined without a fixed IPv4 address. */
  readonly network: string | undefined;
  /** For /etc/NetworkManager/conf.d: the host must leave the bridges and their ports alone. */
  readonly networkManager: string;
  /** For dnsmasq: the names of the cluster; undefined where the site's address or domain is not known. */
  readonly dnsmasq: string | undefined;
}

/** Interface names have at most 15 characters; the bridge of a site is told by its name's first ones. */
const BRIDGE_CHARS = 11;
const TARGET_FOLDER = '/var/lib/libvirt/images';

function escaped(text: string): string {
  return text.replace(/[<>&'"]/g, (char) => `&#${char.charCodeAt(0)};`);
}

function bridgeOf(name: string): string {
  return `efab${name.replaceAll(/[^a-z0-9]/g, '').slice(0, BRIDGE_CHARS)}`;
}

function diskXml(
  file: string,
  options: { readonly target: string; readonly bus: string; readonly extra?: string },
): string {
  const { target, bus, extra = '' } = options;
  const kind = file.startsWith('/dev/') ? ['block', 'dev'] : ['file', 'file'];
  const driver = file.endsWith('.qcow2') ? 'qcow2' : 'raw';
  return `    <disk type='${kind[0]}' device='disk'>
      <driver name='qemu' type='${driver}'/>
      <source ${kind[1]}='${escaped(file)}'/>
      <target dev='${target}' bus='${bus}'/>${extra}
    </disk>
`;
}

function domainXml(site: Site, options: LibvirtOptions): string {
  const { iso, disk, installDisk, firmware, processors } = options;
  const bus = busOf(installDisk) === 'virtio' ? 'virtio' : 'scsi';
  const target = bus === 'virtio' ? 'vda' : 'sda';
  const [stick, cache] = bus === 'virtio' ? ['vdb', 'vdc'] : ['vda', 'vdb'];
  const cards = planCards(site.network).cards.map(
    ({ mac }) => `    <interface type='network'>
      <mac address='${mac}'/>
      <source network='edgefab-${escaped(site.name)}'/>
      <model type='virtio'/>
    </interface>
`,
  );
  const own = site.cache.location === 'installDisk';
  const other =
    `/dev/${target}` === installDisk
      ? ''
      : `<!-- the site installs to ${installDisk.replaceAll('--', '')}: here it is /dev/${target} -->\n`;
  return `${other}<domain type='kvm'>
  <name>edgefab-${escaped(site.name)}</name>
  <memory unit='MiB'>${options.memoryMiB ?? site.machine.ramMiB ?? DEFAULT_MEMORY_MIB}</memory>
  <vcpu>${processors}</vcpu>
  <os${firmware === 'uefi' ? " firmware='efi'" : ''}>
    <type arch='x86_64' machine='q35'>hvm</type>
  </os>
  <features><acpi/></features>
  <cpu mode='host-passthrough'/>
  <devices>
    <controller type='scsi' model='virtio-scsi'/>
${diskXml(own ? disk : `${TARGET_FOLDER}/edgefab-${site.name}.qcow2`, { target, bus, extra: "\n      <boot order='2'/>" })}${diskXml(
  iso,
  { target: stick, bus: 'virtio', extra: "\n      <readonly/>\n      <boot order='1'/>" },
)}${own ? '' : diskXml(disk, { target: cache, bus: 'virtio' })}${cards.join('')}    <serial type='pty'/>
    <console type='pty'/>
    <video><model type='vga'/></video>
    <graphics type='vnc'/>
  </devices>
</domain>
`;
}

/** Describes a site's machine for libvirt: its domain, its network, and what the host's own services must know. */
export function libvirtFiles(site: Site, options: LibvirtOptions): LibvirtFiles {
  const bridge = bridgeOf(site.name);
  const [card] = (site.network?.interfaces ?? []).flatMap(({ addresses, gateway }) => {
    const address = addresses.map(parseInterfaceAddress).find((each) => each?.bits === 32);
    return address === undefined ? [] : [{ address, gateway }];
  });
  const { clusterName, domain } = site;
  const cluster = domain === undefined ? undefined : `${clusterName}.${domain}`;
  return {
    domain: domainXml(site, options),
    network:
      card?.gateway === undefined
        ? undefined
        : `<network>
  <name>edgefab-${escaped(site.name)}</name>
  <bridge name='${bridge}'/>
  <dns enable='no'/>
  <ip address='${card.gateway}' netmask='${dottedNetmask(card.address.prefix)}'/>
</network>
`,
    networkManager: `[keyfile]\nunmanaged-devices=interface-name:${bridge};interface-name:vnet*\n`,
    dnsmasq:
      card === undefined || cluster === undefined
        ? undefined
        : `interface=${bridge}\nbind-interfaces\naddress=/apps.${cluster}/${card.address.text}\nhost-record=api.${cluster},api-int.${cluster},${card.address.text}\n`,
  };
}
