import { isIP } from 'node:net';
import { withAppendedText } from '../ignition/edit-ignition.ts';
import { manifestChange } from './changes.ts';
import { machineConfigManifest } from './machine-config.ts';
import { unfitValue } from './machine-values.ts';
import type { Overlays } from './overlay.ts';
import type { Step } from './step.ts';

/** The names of a cluster and the node that answers for them. */
export interface LocalDnsSettings {
  readonly clusterName: string;
  readonly domain: string;
  /** The node's own addresses, without prefix length, at most one of each family; empty: by DHCP. */
  readonly nodeAddresses: readonly string[];
}

// RFC 1123 section 2.1; lower case, as names of clusters are.
const NAME = /^(?:[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?)(?:\.[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?)*$/;
/** RFC 1035 section 2.3.4, less the longest name under it that the cluster uses for a route's host. */
const MAX_LENGTH = 189;

function checkLocalDns({ clusterName, domain, nodeAddresses }: LocalDnsSettings): void {
  const zone = `${clusterName}.${domain}`;
  if (!NAME.test(zone) || zone.length > MAX_LENGTH)
    throw unfitValue('cluster domain', zone, `a host name of at most ${MAX_LENGTH} characters`);
  const families = nodeAddresses.map((address) => (address.includes('%') ? 0 : isIP(address)));
  for (const [index, family] of families.entries()) {
    const address = nodeAddresses[index] ?? '';
    if (family === 0) throw unfitValue('node address', address, 'an IPv4 or IPv6 address');
    if (families.indexOf(family) !== index)
      throw unfitValue('node address', address, `one IPv${family} address, not two`);
  }
}

/** Renders the dnsmasq configuration of the installed node: listens on loopback and on the node's addresses. */
export function renderDnsmasqConf(settings: LocalDnsSettings): string {
  const { clusterName, domain, nodeAddresses } = settings;
  checkLocalDns(settings);
  const zone = `${clusterName}.${domain}`;
  const loopback = nodeAddresses.some((address) => isIP(address) === 6)
    ? ['127.0.0.1', '::1']
    : ['127.0.0.1'];
  return [
    '# Made by edgefab: the names of this cluster, answered on the node',
    '# Addresses may come later, and OVN-Kubernetes moves them to a bridge.',
    'bind-dynamic',
    ...[...loopback, ...nodeAddresses].map((address) => `listen-address=${address}`),
    'pid-file=',
    'no-hosts',
    '# All else is asked of the name servers NetworkManager knows; with none the answer is a quick no.',
    'resolv-file=/run/NetworkManager/resolv.conf',
    '# Nothing under the cluster domain leaves the node. No PTR is made: the node keeps its name.',
    `local=/${zone}/`,
    '# local= behind address= makes a missing family "no such record"; without it, it is "no such name".',
    ...['api', 'api-int', 'apps'].flatMap((name) => [
      ...nodeAddresses.map((address) => `address=/${name}.${zone}/${address}`),
      `local=/${name}.${zone}/`,
    ]),
    '',
  ].join('\n');
}

/**
 * Plans names without a DNS server at the site: on the installed node dnsmasq answers api, api-int and *.apps of
 * the cluster, and /etc/resolv.conf asks it first; the live system finds api and api-int in /etc/hosts. Skipped
 * without a fixed address. Throws USAGE_INVALID.
 */
export function localDnsStep(settings: LocalDnsSettings, overlays: Overlays): Step {
  const { clusterName, domain, nodeAddresses } = settings;
  const name = 'local-dns';
  const why = 'api, api-int and *.apps of the cluster are found without a DNS server at the site';
  checkLocalDns(settings);
  const [nameserver] = nodeAddresses;
  if (nameserver === undefined) {
    const skipped = 'the node has no fixed address: a DNS server at the site must answer for the cluster';
    return { name, why, changes: [], skipped };
  }
  const script = overlays['scripts/edgefab-resolv.sh'];
  const manifest = machineConfigManifest({
    name: '99-edgefab-dns',
    files: [
      { path: '/etc/edgefab/dnsmasq.conf', mode: 0o644, text: renderDnsmasqConf(settings) },
      { path: '/etc/edgefab/dns.env', mode: 0o644, text: `EDGEFAB_NAMESERVER=${nameserver}\n` },
      {
        path: '/etc/NetworkManager/conf.d/90-edgefab-dns.conf',
        mode: 0o644,
        text: overlays['installed/edgefab-networkmanager.conf'],
      },
      // Twice the same: NetworkManager runs no links to scripts elsewhere.
      { path: '/etc/NetworkManager/dispatcher.d/60-edgefab-resolv', mode: 0o755, text: script },
      { path: '/usr/local/bin/edgefab-resolv.sh', mode: 0o755, text: script },
    ],
    units: [
      {
        name: 'edgefab-dns.service',
        enabled: true,
        contents: overlays['installed/edgefab-dns.service'],
      },
    ],
  });
  const zone = `${clusterName}.${domain}`;
  const hosts = nodeAddresses.map((address) => `${address} api.${zone} api-int.${zone}\n`).join('');
  return {
    name,
    why,
    changes: [
      {
        describe: 'file /etc/hosts: api and api-int of the cluster at its end',
        apply: (ignition) => withAppendedText(ignition, '/etc/hosts', `# Made by edgefab\n${hosts}`),
      },
      manifestChange(manifest),
    ],
  };
}
