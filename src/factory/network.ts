import { EdgefabError } from '../errors.ts';
import {
  dottedNetmask,
  inSubnet,
  isLinkLocal,
  parseInterfaceAddress,
  parseIp,
} from '../formats/ip-address.ts';
import type { NetworkInterface, Site } from './site.ts';

/** dracut.cmdline(7): the `ip=` argument takes at most two servers, further ones are `nameserver=`. */
const SERVERS_IN_IP = 2;

// What the kernel, udev and biosdevname call interfaces by themselves (systemd.net-naming-scheme(7)).
const KERNEL_NAME =
  /^(?:eth|wlan|wwan|usb|ib|lo|bond|team|veth|dummy|virbr|docker|br)[0-9]*$|^(?:en|wl|ww|ib|sl|mc)[xosPpvbiacdufn]?[0-9]|^(?:em|p)[0-9]/;

function bracketed(address: string): string {
  return address.includes(':') ? `[${address}]` : address;
}

/** The name an interface has on the command line, and the argument that gives it that name. */
function naming({ name, mac }: NetworkInterface, index: number): { name: string; kargs: string[] } {
  if (mac === undefined) return { name: name ?? `edge${index}`, kargs: [] };
  // A name of the kernel's own may already belong to another card when ifname= takes effect.
  const chosen = name === undefined || KERNEL_NAME.test(name) ? `edge${index}` : name;
  return { name: chosen, kargs: [`ifname=${chosen}:${mac}`] };
}

function ipKarg(
  address: string,
  gateway: string | undefined,
  hostname: string,
  name: string,
  dns: readonly string[],
): string {
  const ip = parseInterfaceAddress(address);
  const via = gateway === undefined ? undefined : parseIp(gateway);
  // Each family has its own router.
  const routed =
    ip !== undefined && via !== undefined && (inSubnet(via, ip) || (isLinkLocal(via) && ip.bits === 128));
  const mask = ip?.bits === 32 ? dottedNetmask(ip.prefix) : String(ip?.prefix ?? '');
  const fields = [
    bracketed(ip?.text ?? address),
    '',
    routed ? bracketed(gateway ?? '') : '',
    mask,
    hostname,
    name,
  ];
  return `ip=${[...fields, 'none', ...dns.map(bracketed)].join(':')}`;
}

/**
 * Makes the kernel arguments that bring up a site's network in the live phase (dracut.cmdline(7)):
 * `rd.neednet=1`, `ifname=` where the MAC address is known, one `ip=` per address, `nameserver=` for servers
 * beyond the second. None without a network: the live system then asks DHCP. Throws MODE_UNSUPPORTED for
 * VLANs and bonds.
 */
export function networkKargs({ name: site, hostname, network, place }: Site): string[] {
  if (network === undefined || network.interfaces.length === 0) return [];
  const kargs = ['rd.neednet=1'];
  let inIp: readonly string[] = [];
  network.interfaces.forEach((item, index) => {
    const thing = item.bond !== undefined ? 'bond' : item.vlan !== undefined ? 'vlan' : undefined;
    if (thing !== undefined)
      throw new EdgefabError(
        `site ${site} asks for a ${thing} in network.interfaces[${index}], which is not supported yet`,
        {
          code: 'MODE_UNSUPPORTED',
          suggestions: ['Give the site one plain interface for the installation'],
          place: { ...place, field: `network.interfaces[${index}].${thing}` },
        },
      );
    const named = naming(item, index);
    kargs.push(...named.kargs);
    if (item.dhcp) kargs.push(`ip=${named.name}:dhcp`);
    for (const address of item.addresses) {
      const dns = inIp.length === 0 ? network.dns.slice(0, SERVERS_IN_IP) : [];
      kargs.push(ipKarg(address, item.gateway, hostname, named.name, dns));
      if (dns.length > 0) inIp = dns;
    }
  });
  kargs.push(
    ...network.dns
      .filter((server) => !inIp.includes(server))
      .map((server) => `nameserver=${bracketed(server)}`),
  );
  return kargs;
}
