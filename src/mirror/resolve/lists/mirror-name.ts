import { formatReference, type ImageReference } from '../../../oci/reference.ts';

/** The words release image tags use where they differ from GOARCH. */
const MACHINE_NAMES: Readonly<Record<string, string>> = { amd64: 'x86_64', arm64: 'aarch64' };

/** FNV-1a of 32 bits (Fowler, Noll, Vo): its offset basis and prime. */
const FNV_BASIS = 0x811c9dc5;
const FNV_PRIME = 0x01000193;

function fnv32a(text: string): number {
  let hash = FNV_BASIS;
  for (const byte of Buffer.from(text)) hash = Math.imul(hash ^ byte, FNV_PRIME) >>> 0;
  return hash;
}

/**
 * Names what a mirror calls a release's image, or one of its components: `openshift/release-images:4.13.1-x86_64`,
 * `openshift/release:4.13.1-x86_64-etcd`. `architecture` is in GOARCH words or `multi`.
 */
export function releaseMirrorName(version: string, architecture: string, component?: string): string {
  const tag = `${version}-${MACHINE_NAMES[architecture] ?? architecture}`;
  return component === undefined
    ? `openshift/release-images:${tag}`
    : `openshift/release:${tag}-${component}`;
}

/**
 * Names what a mirror calls any other image: its own path and tag. An image that is known by digest only gets the
 * tag oc-mirror v1 gives it: the hash of its reference in hex, without leading zeros.
 */
export function plainMirrorName(reference: ImageReference): string {
  const { path, tag } = reference;
  return `${path}:${tag ?? fnv32a(formatReference(reference)).toString(16)}`;
}
