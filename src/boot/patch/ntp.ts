import { parseIp } from '../../formats/ip-address.ts';
import { type NewFile, withFile } from '../ignition/edit-ignition.ts';
import { machineConfigManifest } from './machine-config.ts';
import { unfitValue } from './machine-values.ts';
import type { Step } from './step.ts';

// RFC 1123 section 2.1; a last label of digits alone would be a mistyped address.
const LABEL = /^[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?$/;
const MAX_SERVERS = 16;

/** Makes sure a time server is a host name or an address, and nothing chrony reads as an option. */
function checkServer(server: string): string {
  const labels = server.replace(/\.$/, '').split('.');
  const isName =
    server.length <= 253 &&
    labels.every((label) => LABEL.test(label)) &&
    !/^[0-9]+$/.test(labels.at(-1) ?? '');
  if (isName || parseIp(server) !== undefined) return server;
  throw unfitValue('NTP server', server, 'a host name or an IP address, without port and options');
}

/**
 * Renders chrony's configuration. `local stratum 10` is chosen on purpose: where no server answers, the node is
 * its own reference, so the kernel counts its clock as set, `rtcsync` writes it to the hardware clock (which a
 * power cut then survives), and the cluster raises no alarm about it. Any real server is of a better stratum and
 * takes over at once; `chronyc waitsync` does not count the local reference, so nothing starts too early where a
 * server answers. No one else is served time (chrony's default).
 */
function renderChronyConf(servers: readonly string[]): string {
  return [
    '# Made by edgefab; kept by the MachineConfig 99-zz-edgefab-chrony on the installed node.',
    ...servers.map((server) => `server ${server} iburst`),
    '# Servers named by DHCP, where NetworkManager is told of any.',
    'sourcedir /run/chrony-dhcp',
    'driftfile /var/lib/chrony/drift',
    '# At start any difference is put right at once.',
    'makestep 1.0 3',
    'rtcsync',
    'leapsectz right/UTC',
    'logdir /var/log/chrony',
    '# Without a server that answers, the node keeps time by its own clock; any server is better.',
    'local stratum 10',
    '',
  ].join('\n');
}

/**
 * Plans the time servers of both phases, none included: a site without a server keeps time by its own clock.
 * Throws USAGE_INVALID for what is no host name or address, for one that comes twice, and for more than 16.
 */
export function ntpStep(servers: readonly string[]): Step {
  const checked = servers.map(checkServer);
  const twin = checked.find((server, index) => checked.indexOf(server) !== index);
  if (twin !== undefined) throw unfitValue('NTP servers', `${twin} twice`, 'each server once');
  if (checked.length > MAX_SERVERS)
    throw unfitValue('NTP servers', `${checked.length} of them`, `at most ${MAX_SERVERS}`);
  const file: NewFile = { path: '/etc/chrony.conf', mode: 0o644, text: renderChronyConf(checked) };
  // Of MachineConfigs that write one path the last by name holds: after 99-master-* and 99-worker-*.
  const manifest = machineConfigManifest({ name: '99-zz-edgefab-chrony', files: [file], units: [] });
  const from = checked.length === 0 ? 'its own clock alone' : checked.join(', ');
  return {
    name: 'ntp',
    why: `the machine keeps time by ${from}, in the live system and after the install`,
    changes: [
      { describe: `file ${file.path}`, apply: (ignition) => withFile(ignition, file) },
      {
        describe: `MachineConfig manifest ${manifest.path}`,
        apply: (ignition) => withFile(ignition, manifest),
      },
    ],
  };
}
