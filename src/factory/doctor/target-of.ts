import type { Site } from '../site.ts';
import type { Target } from './examine-target.ts';

/** What a factory says of the machine of one site. */
export function targetOf(site: Site): Target {
  const { network, domain, clusterName, installDisk } = site;
  const interfaces = network?.interfaces ?? [];
  return {
    ...(site.dns === 'site' && domain !== undefined ? { cluster: `${clusterName}.${domain}` } : {}),
    addresses: interfaces.flatMap(({ addresses }) =>
      addresses.map((address) => address.replace(/\/.*$/, '')),
    ),
    dnsServers: network?.dns ?? [],
    timeServers: site.ntp.servers,
    ...(installDisk === undefined
      ? {}
      : { installDisk: 'path' in installDisk ? installDisk.path : `/dev/disk/by-id/${installDisk.byId}` }),
    macs: interfaces.flatMap(({ mac }) => (mac === undefined ? [] : [mac])),
  };
}
