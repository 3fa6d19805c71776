import {
  checkCacheId,
  checkPartitionLabel,
  checkPinnedImage,
  checkView,
  unfitValue,
} from './machine-values.ts';

/** Where the registry listens on the machine, on both loopback addresses, unless told otherwise. */
export const REGISTRY_PORT = 22626;

/** What both phases of a machine are told about the registry that serves its cache disk on loopback. */
export interface RegistrySettings {
  readonly port: number;
  /** Partition label of the cache: of the USB disk, or of the partition on the install disk. */
  readonly cacheLabel: string;
  /** The id in the cache's `edgefab-cache.json`; undefined: any edgefab cache is taken. */
  readonly cacheId: string | undefined;
  /** The distribution image that serves, HOST/PATH@sha256:HEX, and its `dir:` view relative to the cache's root. */
  readonly tool: { readonly reference: string; readonly view: string };
  /** HOST/PATH@sha256:HEX: readiness is that this manifest is served under system trust. */
  readonly releaseImage: string;
  /** Whether the installed node keeps the cache. */
  readonly keepOnNode: boolean;
  /** When the build began; a clock earlier than this is wrong. */
  readonly buildTime: Date;
}

/** Ports that OpenShift or the kernel may want on the machine: first, last, and whose they are. */
const RESERVED_PORTS = [
  [1, 1023, 'ports of the system'],
  [6443, 6443, 'the API server'],
  [9000, 9999, 'host services of OpenShift'],
  [10250, 10259, 'kubelet and its neighbours'],
  [22623, 22625, 'the machine config server'],
  [30000, 32767, 'NodePorts'],
  [32768, 60999, 'outgoing connections (ip_local_port_range)'],
] as const;

/** Makes sure a port is free on a single node. Throws USAGE_INVALID naming whose port it is. */
export function checkRegistryPort(port: number): number {
  const want = `a free port from 1024 to 65535, ${REGISTRY_PORT} unless there is a reason`;
  if (!Number.isInteger(port) || port < 1 || port > 65535)
    throw unfitValue('registry port', String(port), want);
  const taken = RESERVED_PORTS.find(([first, last]) => port >= first && port <= last);
  if (taken !== undefined) throw unfitValue('registry port', `${port}", a port of "${taken[2]}`, want);
  return port;
}

/** Makes sure that every setting is safe to be read by a shell script. Throws USAGE_INVALID. */
export function checkRegistrySettings(settings: RegistrySettings): void {
  const { port, cacheLabel, cacheId, tool, releaseImage } = settings;
  checkRegistryPort(port);
  checkPartitionLabel(cacheLabel);
  checkCacheId(cacheId);
  checkPinnedImage('registry image', tool.reference);
  checkView(tool.reference, tool.view);
  checkPinnedImage('release image', releaseImage);
}

/** Renders the settings file the units of registry mode read (systemd's EnvironmentFile). */
export function renderRegistryEnvironment(settings: RegistrySettings): string {
  return [
    `EDGEFAB_PORT=${settings.port}`,
    `EDGEFAB_LABEL=${settings.cacheLabel}`,
    `EDGEFAB_CACHE_ID=${settings.cacheId ?? ''}`,
    `EDGEFAB_TOOL_IMAGE=${settings.tool.reference}`,
    `EDGEFAB_TOOL_VIEW=${settings.tool.view}`,
    `EDGEFAB_RELEASE_IMAGE=${settings.releaseImage}`,
    `EDGEFAB_KEEP_ON_NODE=${settings.keepOnNode ? 'yes' : 'no'}`,
    `EDGEFAB_BUILD_TIME=${Math.floor(settings.buildTime.getTime() / 1000)}`,
    '',
  ].join('\n');
}
