import { dottedNetmask, inSubnet, parseIp } from '../../formats/ip-address.ts';
import type { Site } from '../site.ts';
import type { CardNetwork } from './answer-frame.ts';
import type { CardSubnet } from './network-cards.ts';

/** What a machine is given that asks for an address, as QEMU's own network does. */
const LEASED: CardSubnet = { address: '10.0.2.15', prefix: 24, router: '10.0.2.2', nameServer: '10.0.2.3' };

function isIpv4(text: string): boolean {
  return parseIp(text)?.bits === 32;
}

/** Plans the network around a card, with what the site's own would have: router, name servers, time servers, names. */
export function planCardNetwork(
  kind: CardNetwork['kind'],
  site: Pick<Site, 'clusterName' | 'domain' | 'hostname' | 'network' | 'ntp'>,
  own: CardSubnet | undefined,
): CardNetwork {
  const { address, prefix, router, nameServer } = own ?? LEASED;
  const value = (text: string): bigint => parseIp(text)?.value ?? 0n;
  const subnet = { bits: 32, value: value(address), text: address, prefix } as const;
  const dns = (site.network?.dns ?? []).filter(isIpv4);
  const nameServers = dns.length === 0 ? [nameServer] : dns;
  const times = site.ntp.servers.filter(isIpv4);
  const isNear = (text: string): boolean =>
    text !== address && inSubnet({ bits: 32, value: value(text) }, subnet);
  const near = [...nameServers, ...times].filter(isNear);
  return {
    kind,
    router,
    // Where there is no route, nobody but the router is there to be asked.
    neighbours: [...new Set([router, ...(kind === 'no-route' ? [] : near)])],
    nameServers,
    timeServers: [router, ...times],
    names: namesOf(site, address, router),
    lease: { address, netmask: dottedNetmask(prefix), router, dns: nameServers },
  };
}

/** What a site's own name servers know: the cluster (OpenShift's required DNS records), and who tells the time. */
function namesOf(
  { clusterName, domain, hostname, ntp }: Pick<Site, 'clusterName' | 'domain' | 'hostname' | 'ntp'>,
  node: string,
  router: string,
): ReadonlyMap<string, string> {
  const cluster = domain === undefined ? [] : ['api', 'api-int', '*.apps'];
  return new Map([
    [hostname.toLowerCase(), node],
    ...cluster.map((name): [string, string] => [`${name}.${clusterName}.${domain}`.toLowerCase(), node]),
    ...ntp.servers
      .filter((server) => parseIp(server) === undefined)
      .map((server): [string, string] => [server.toLowerCase(), router]),
  ]);
}
