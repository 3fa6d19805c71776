/**
 * Names payloads give the operating system image, the one the machine-config-operator prefers first
 * (openshift/machine-config-operator, install/image-references): 4.13+ and SCOS 4.16+, RHEL 10 streams
 * from 4.22; then 4.12; SCOS and FCOS up to 4.15; the image of releases before 4.12, still in later payloads.
 */
const GENERATIONS: readonly (readonly string[])[] = [
  ['rhel-coreos', 'rhel-coreos-10', 'stream-coreos', 'stream-coreos-10'],
  ['rhel-coreos-8'],
  ['centos-stream-coreos-9', 'fedora-coreos'],
  ['machine-os-content'],
];

/** Finds the operating system images a node of this release is rebased to, by the payload's own names. */
export function osImages(names: readonly string[]): readonly string[] {
  for (const generation of GENERATIONS) {
    const present = generation.filter((name) => names.includes(name));
    if (present.length > 0) return present;
  }
  return [];
}
