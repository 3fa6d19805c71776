/** Node's words for the architectures the installer runs on, in the kernel's. */
const BY_NODE_NAME: Readonly<Record<string, string>> = { x64: 'x86_64', arm64: 'aarch64', ppc64: 'ppc64le' };

/** Names the architecture of a machine as the kernel does, from what Node calls it (`process.arch`). */
export function machineArchitecture(nodeName: string): string {
  return BY_NODE_NAME[nodeName] ?? nodeName;
}
