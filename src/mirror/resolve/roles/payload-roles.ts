import { bootstrapTable } from './bootstrap-table.ts';
import { osImages } from './os-images.ts';

export type ComponentRole = 'bootstrap' | 'os' | 'release';

/** A payload image that an ignition's scripts ask for by name, as read from the ignition. */
export interface BootstrapImage {
  readonly name: string;
  /** `name-only`: its name is looked up and nothing pulls it; `os`: the node image. */
  readonly use?: string;
  readonly askedBy?: readonly { readonly path: string; readonly line: number }[];
}

export interface PayloadRolesInput {
  /** Of the payload's component images. */
  readonly names: readonly string[];
  /** Undefined where no ignition is at hand: then a table per minor release stands for it. */
  readonly bootstrap: readonly BootstrapImage[] | undefined;
  readonly version: string;
}

export interface ComponentNeed {
  readonly name: string;
  readonly roles: readonly ComponentRole[];
  /** Who pulls it before the cluster runs, in words; empty where only the running cluster may. */
  readonly requiredBy: readonly string[];
}

export interface PayloadRoles {
  /** What the bootstrap set was taken from; `none` for a release no table knows. */
  readonly basis: 'ignition' | 'table' | 'none';
  /** Every component, sorted by name. */
  readonly components: readonly ComponentNeed[];
  /** What is needed and not in this payload: ignition and release do not belong together. */
  readonly missing: readonly { readonly name: string; readonly requiredBy: readonly string[] }[];
}

/** What the installed node pulls before its kubelet starts, whatever the release (platform none). */
const POST_REBOOT: readonly { readonly name: string; readonly unit: string }[] = [
  { name: 'machine-config-operator', unit: 'machine-config-daemon-pull.service' },
  { name: 'baremetal-runtimecfg', unit: 'nodeip-configuration.service' },
  { name: 'pod', unit: 'crio.service (pause image)' },
];

function add(map: Map<string, string[]>, name: string, by: readonly string[]): void {
  map.set(name, [...(map.get(name) ?? []), ...by]);
}

function bootstrapNeeds(
  { bootstrap, version }: PayloadRolesInput,
  os: readonly string[],
): { needs: Map<string, string[]>; basis: PayloadRoles['basis'] } {
  const needs = new Map<string, string[]>();
  if (bootstrap !== undefined) {
    for (const { name, use, askedBy = [] } of bootstrap) {
      if (use === 'name-only') continue;
      const by = askedBy.map(({ path, line }) => `bootstrap: ${path}:${line}`);
      add(needs, name, by.length === 0 ? ['bootstrap: the ignition'] : by);
    }
    return { needs, basis: 'ignition' };
  }
  const table = bootstrapTable(version);
  if (table === undefined) return { needs, basis: 'none' };
  for (const name of table.names) add(needs, name, [`bootstrap: bootkube.service of ${table.minor}`]);
  if (table.osInLivePhase)
    for (const name of os) add(needs, name, [`bootstrap: node-image-pull.service of ${table.minor}`]);
  return { needs, basis: 'table' };
}

function postRebootNeeds(os: readonly string[]): Map<string, string[]> {
  const needs = new Map<string, string[]>();
  for (const { name, unit } of POST_REBOOT) add(needs, name, [`after the reboot: ${unit}`]);
  for (const name of os.length === 0 ? ['rhel-coreos'] : os)
    add(needs, name, ['after the reboot: machine-config-daemon-firstboot.service (rpm-ostree rebase)']);
  return needs;
}

/**
 * Gives each component of a payload its roles: `bootstrap` for what the live phase pulls, `os` for the node's
 * operating system, `release` for everything but that; and who pulls it before the cluster runs. The release
 * image itself is not a component: it is needed in both phases.
 */
export function payloadRoles(input: PayloadRolesInput): PayloadRoles {
  const { names } = input;
  const os = osImages(names);
  const { needs: bootstrap, basis } = bootstrapNeeds(input, os);
  const postReboot = postRebootNeeds(os);
  const requiredBy = (name: string): string[] => [
    ...(bootstrap.get(name) ?? []),
    ...(postReboot.get(name) ?? []),
  ];
  const rolesOf = (name: string): ComponentRole[] => [
    ...(bootstrap.has(name) ? (['bootstrap'] as const) : []),
    os.includes(name) ? 'os' : 'release',
  ];
  const there = new Set(names);
  const needed = new Set([...bootstrap.keys(), ...postReboot.keys()]);
  return {
    basis,
    components: [...there]
      .sort()
      .map((name) => ({ name, roles: rolesOf(name), requiredBy: requiredBy(name) })),
    missing: [...needed]
      .filter((name) => !there.has(name))
      .sort()
      .map((name) => ({ name, requiredBy: requiredBy(name) })),
  };
}
