import type { Document } from 'yaml';
import { installConfigError, parseInstallConfig } from './install-config.ts';
import { type InstallConfigRegistry, setRegistryFields } from './registry-fields.ts';

/** What one site puts into its install-config. */
export interface InstallConfigSite {
  readonly clusterName: string;
  readonly domain: string;
  /** The disk the node is installed to, a path under /dev. */
  readonly installDisk: string;
  /** The pull secret's JSON text. */
  readonly pullSecret: string;
  /** Public keys, one a text. */
  readonly sshKeys: readonly string[];
  /** The machine network in CIDR form. */
  readonly machineNetwork?: string;
  /** The registry on the machine, in registry mode. */
  readonly registry?: InstallConfigRegistry;
}

// The installer pastes the disk into a shell line without quotes and checks only that it is not empty.
const DEVICE = /^\/dev(?:\/(?!\.\.?(?:\/|$))[A-Za-z0-9._:+-]+)+$/;
const NAME = /^[a-z0-9](?:[a-z0-9-]{0,52}[a-z0-9])?$/;
const DOMAIN = /^[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?(?:\.[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?)*$/;
const SSH_KEY = /^(?:ssh-|ecdsa-|sk-)[a-z0-9@.-]+ [A-Za-z0-9+/=]+(?: [^\n\r]*)?$/;
const CIDR = /^[0-9a-fA-F.:]+\/[0-9]{1,3}$/;

function isPullSecret(text: string): boolean {
  try {
    const value: unknown = JSON.parse(text);
    if (typeof value !== 'object' || value === null || !('auths' in value)) return false;
    return typeof value.auths === 'object' && value.auths !== null;
  } catch {
    return false;
  }
}

function check(site: InstallConfigSite): void {
  const { clusterName, domain, installDisk, machineNetwork } = site;
  const wrong = (field: string, got: string, want: string): Error =>
    installConfigError(field, `got "${got.slice(0, 200)}", want ${want}`);
  if (!NAME.test(clusterName))
    throw wrong('metadata.name', clusterName, 'lower-case letters, digits and -, at most 54');
  if (!DOMAIN.test(domain)) throw wrong('baseDomain', domain, 'a domain in lower case');
  if (!DEVICE.test(installDisk))
    throw wrong(
      'bootstrapInPlace.installationDisk',
      installDisk,
      'a device path such as /dev/disk/by-id/… made of letters, digits and . _ : + - only',
    );
  if (!isPullSecret(site.pullSecret))
    throw installConfigError(
      'pullSecret',
      `got ${site.pullSecret.length} characters, want JSON with "auths"`,
    );
  for (const [index, key] of site.sshKeys.entries()) {
    if (!SSH_KEY.test(key.trim()))
      throw installConfigError(`sshKey[${index}]`, 'want one ssh public key (type, base64, comment)');
  }
  if (machineNetwork !== undefined && !CIDR.test(machineNetwork))
    throw wrong('networking.machineNetwork', machineNetwork, 'a network such as 192.168.86.0/24');
}

/** What bootstrap in place needs, whatever the base says; a base that says otherwise is refused. */
function refuseOther(document: Document): void {
  const platform: unknown = document.toJS()?.platform;
  const names = typeof platform === 'object' && platform !== null ? Object.keys(platform) : [];
  const other = names.find((name) => name !== 'none');
  if (other !== undefined)
    throw installConfigError('platform', `got ${other}, want none: bootstrap in place knows no other`);
}

/**
 * Renders a site's install-config from a base: one control plane node, no workers, platform none, bootstrap
 * in place, and the site's values over the base's; mirrors and certificates of the base are kept beside the
 * site's. All else of the base, comments too, is kept. Throws INSTALL_CONFIG_INVALID naming the field.
 */
export function renderInstallConfig(baseYaml: string, site: InstallConfigSite): string {
  check(site);
  const document = parseInstallConfig(baseYaml);
  refuseOther(document);
  const set = (path: readonly string[], value: unknown): void => {
    // Through createNode, so that a list or mapping is a YAML one and not an opaque scalar.
    document.setIn(path, document.createNode(value));
  };
  if (!document.has('apiVersion')) set(['apiVersion'], 'v1');
  set(['baseDomain'], site.domain);
  set(['metadata', 'name'], site.clusterName);
  if (!document.hasIn(['controlPlane', 'name'])) set(['controlPlane', 'name'], 'master');
  set(['controlPlane', 'replicas'], 1);
  // The installer wants both pools to be of one architecture.
  const architecture: unknown = document.getIn(['controlPlane', 'architecture']);
  const worker = typeof architecture === 'string' ? { architecture } : {};
  set(['compute'], [{ ...worker, name: 'worker', replicas: 0 }]);
  if (site.machineNetwork !== undefined)
    set(['networking', 'machineNetwork'], [{ cidr: site.machineNetwork }]);
  set(['platform'], { none: {} });
  set(['bootstrapInPlace', 'installationDisk'], site.installDisk);
  set(['pullSecret'], site.pullSecret.trim());
  if (site.sshKeys.length > 0) set(['sshKey'], site.sshKeys.map((key) => key.trim()).join('\n'));
  if (site.registry !== undefined) setRegistryFields(document, site.registry);
  return document.toString({ lineWidth: 0 });
}
