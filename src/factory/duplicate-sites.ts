import type { Fault, Place } from '../errors.ts';
import type { Origin } from '../formats/checked-value.ts';
import type { FieldPath } from '../formats/field-path.ts';
import { parseInterfaceAddress } from '../formats/ip-address.ts';
import { placedInterfaces } from './site-network.ts';
import type { SiteEntry } from './site-schema.ts';

interface Claim {
  readonly kind: string;
  readonly key: string;
  readonly shown: string;
  readonly place: Place;
}

function qualified(name: string, domain: string | undefined): string {
  return name.includes('.') || domain === undefined ? name : `${name}.${domain}`;
}

/** What a site claims for itself alone. A derived name stands where the name it comes from stands. */
function claims(site: SiteEntry, origin: Origin): Claim[] {
  const { name, domain } = site;
  const derived = (key: 'clusterName' | 'hostname'): Place =>
    origin.placeOf(site[key] === undefined ? ['name'] : [key]);
  const cluster = `${site.clusterName ?? name}.${domain ?? ''}`;
  const host = qualified(site.hostname ?? name, domain);
  const list: Claim[] = [
    { kind: 'site name', key: name, shown: name, place: origin.placeOf(['name']) },
    { kind: 'cluster name', key: cluster, shown: cluster, place: derived('clusterName') },
    { kind: 'host name', key: host, shown: host, place: derived('hostname') },
  ];
  for (const { value, paths } of placedInterfaces(site.network ?? {})) {
    const claimMac = (mac: string, path: FieldPath): void => {
      list.push({ kind: 'MAC address', key: mac, shown: mac, place: origin.placeOf(path) });
    };
    if (value.mac !== undefined) claimMac(value.mac, paths.mac);
    value.bond?.members.forEach((member, at) => {
      // A member by name is a card that every machine may have.
      if (member.includes(':')) claimMac(member, [...paths.whole, 'bond', 'members', at]);
    });
    value.addresses.forEach((text, index) => {
      const ip = parseInterfaceAddress(text);
      if (ip === undefined) return;
      const key = `${ip.bits}:${ip.value}`;
      list.push({ kind: 'IP address', key, shown: ip.text, place: origin.placeOf(paths.addressAt(index)) });
    });
  }
  return list;
}

function spot({ file, line, col, field }: Place): string {
  return [file, line, col ?? field].filter((part) => part !== undefined).join(':');
}

/**
 * Finds what two sites both claim: site, cluster and host names, IP and MAC addresses. The fault stands at
 * the later one and names the place of the earlier.
 */
export function duplicateFaults(
  sites: readonly { readonly site: SiteEntry; readonly origin: Origin }[],
): Fault[] {
  const holders = new Map<string, { site: SiteEntry; place: Place }>();
  const faults: Fault[] = [];
  for (const { site, origin } of sites) {
    const told = new Set<string>();
    for (const { kind, key, shown, place } of claims(site, origin)) {
      const holder = holders.get(`${kind} ${key}`);
      if (holder === undefined) {
        holders.set(`${kind} ${key}`, { site, place });
        continue;
      }
      // One repeated name would otherwise be told three times, as site, cluster and host name.
      if (holder.site === site || told.has(spot(place))) continue;
      told.add(spot(place));
      faults.push({
        place,
        message: `found the ${kind} ${shown}, which site ${holder.site.name} has at ${spot(holder.place)}, expected one of its own`,
      });
    }
  }
  return faults;
}
