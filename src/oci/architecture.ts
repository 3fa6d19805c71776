/** The architectures OpenShift is released for, in the words of the OCI specs (GOARCH). */
export type Architecture = 'amd64' | 'arm64' | 'ppc64le' | 's390x';

const BY_NAME: ReadonlyMap<string, Architecture> = new Map([
  ['amd64', 'amd64'],
  ['x86_64', 'amd64'],
  ['arm64', 'arm64'],
  ['aarch64', 'arm64'],
  ['ppc64le', 'ppc64le'],
  ['s390x', 's390x'],
]);

/** Finds the architecture meant by a kernel name (`x86_64`, `aarch64`) or an OCI name; undefined when none is. */
export function architectureOf(name: string): Architecture | undefined {
  return BY_NAME.get(name);
}
