import type { Ignition } from '../boot/ignition/ignition.ts';
import { bootstrapImageNames } from '../boot/ignition/image-names.ts';
import { imageReferences } from '../boot/ignition/image-references.ts';
import { releaseImage } from '../boot/ignition/release-image.ts';
import { EdgefabError } from '../errors.ts';
import { compareReleaseVersions, parseReleaseVersion } from '../formats/release-version.ts';
import type { ImageRole, Lock } from '../mirror/resolve/lock.ts';
import { type Payload, readPayload } from '../mirror/resolve/payload/read-payload.ts';
import { payloadRoles } from '../mirror/resolve/roles/payload-roles.ts';
import { explainIncomplete } from '../mirror/store/explain-incomplete.ts';
import { openStoreSource } from '../mirror/store/store-source.ts';
import { type Architecture, architectureOf } from '../oci/architecture.ts';
import { formatReference, parseReference } from '../oci/reference.ts';

/** An image some phase of an install asks for, and who. `reference` is HOST/PATH@sha256:HEX. */
interface Need {
  readonly reference: string;
  readonly role: ImageRole;
  readonly neededBy: readonly string[];
}

/** An image that is asked for and not there; `why` says what is missing of it. */
export interface CoverageGap extends Need {
  readonly why: string;
}

/** What the proof came to. The install is covered when there are no `gaps`. */
export interface CoverageReport {
  readonly release: string;
  readonly version: string | undefined;
  /** Images asked for by either phase, each counted once. */
  readonly images: number;
  readonly gaps: readonly CoverageGap[];
  /** Gaps of roles that may be missing, and components a filter dropped that no phase of the install asks for. */
  readonly allowed: readonly CoverageGap[];
}

export interface CoverageOptions {
  readonly root: string;
  readonly lock: Lock;
  /** Says whether the machine can get an image out of the cache under its name; what is missing for that, in words. */
  readonly explainUnserved: (source: string, digest: string) => Promise<string | undefined>;
  readonly allowMissing: readonly ImageRole[];
}

/** The first release whose default image policy wants sigstore signatures (openshift/api, ClusterImagePolicy). */
const FIRST_WITH_POLICY = parseReleaseVersion('4.21.0-0');

/** Joins needs of one image; the first one gives its role. */
class Needs {
  readonly #known = new Map<string, { role: ImageRole; neededBy: Set<string> }>();

  add(reference: string, role: ImageRole, neededBy: readonly string[]): void {
    const known = this.#known.get(reference) ?? { role, neededBy: new Set<string>() };
    for (const who of neededBy) known.neededBy.add(who);
    this.#known.set(reference, known);
  }

  list(): Need[] {
    return [...this.#known].map(([reference, { role, neededBy }]) => ({
      reference,
      role,
      neededBy: [...neededBy],
    }));
  }
}

/**
 * Proves that a cache holds every image an install will ask for: from the patched Ignition, what its scripts and
 * manifests name; from the release payload in the cache itself, every component; from the lock, catalogs, operators
 * and tools; from 4.21 on the release image's signature. Nothing is taken from what a run once reported. Throws
 * INSTALLER_TEXT_UNKNOWN for scripts whose images cannot be told.
 */
export async function proveCoverage(ignition: Ignition, options: CoverageOptions): Promise<CoverageReport> {
  const { root, lock, allowMissing } = options;
  const source = openStoreSource(root);
  const architecture = machineArchitecture(lock.arch);
  const release = releaseImage(ignition);
  const needs = new Needs();
  needs.add(release, 'release', ['release-image.service', 'the cluster-version operator']);
  const found: CoverageGap[] = [];
  const payload = await payloadOf(release, architecture, source);
  const version = 'payload' in payload ? payload.payload.version : undefined;
  if ('payload' in payload) {
    const { images } = payload.payload;
    const byName = new Map(images.map(({ name, reference }) => [name, formatReference(reference)]));
    const roles = payloadRoles({
      names: images.map(({ name }) => name),
      bootstrap: bootstrapImageNames(ignition),
      version: payload.payload.version,
    });
    for (const { name, roles: own, requiredBy } of roles.components)
      needs.add(byName.get(name) ?? name, own[0] ?? 'release', requiredBy);
    for (const { name, requiredBy } of roles.missing) {
      const why = `the release payload ${payload.payload.version} has no image ${name}`;
      found.push({ reference: release, role: 'bootstrap', neededBy: requiredBy, why });
    }
  }
  for (const { reference, namedBy } of imageReferences(ignition))
    if (!isLocal(reference)) needs.add(reference, 'additional', namedBy);
  for (const image of lock.images)
    needs.add(`${image.source}@${image.digest}`, image.roles[0] ?? 'additional', image.requiredBy);

  const list = needs.list();
  if ('why' in payload)
    found.push({ reference: release, role: 'release', neededBy: ['both phases'], why: payload.why });
  for (const need of list) {
    const why = await gapOf(need, architecture, source, options);
    if (why !== undefined) found.push({ ...need, why });
  }
  const unsigned = signatureGap(release, version, lock);
  if (unsigned !== undefined) found.push(unsigned);
  const dropped = new Set(lock.ignored?.map(({ reference }) => reference));
  const mayBeMissing = ({ reference, role, neededBy }: CoverageGap): boolean =>
    allowMissing.includes(role) || (dropped.has(reference) && neededBy.length === 0);
  const gaps = [...new Map(found.map((gap) => [`${gap.reference} ${gap.why}`, gap])).values()];
  return {
    release,
    version,
    images: list.length,
    gaps: gaps.filter((gap) => !mayBeMissing(gap)),
    allowed: gaps.filter(mayBeMissing),
  };
}

function machineArchitecture(arch: string): Architecture {
  const found = architectureOf(arch);
  if (found !== undefined) return found;
  throw new EdgefabError(`architecture "${arch}" of the lock is not known`, { code: 'LOCK_INVALID' });
}

/** What the machine's own registry serves is not asked of another one. */
function isLocal(reference: string): boolean {
  return /^localhost(?::|\/)/.test(reference);
}

async function payloadOf(
  release: string,
  arch: Architecture,
  source: ReturnType<typeof openStoreSource>,
): Promise<{ readonly payload: Payload } | { readonly why: string }> {
  try {
    return { payload: await readPayload(parseReference(release), { arch }, source) };
  } catch (error) {
    if (error instanceof EdgefabError) return { why: `its list of images cannot be read: ${error.message}` };
    throw error;
  }
}

async function gapOf(
  { reference }: Need,
  architecture: Architecture,
  source: ReturnType<typeof openStoreSource>,
  { root, explainUnserved }: CoverageOptions,
): Promise<string | undefined> {
  const parsed = parseReference(reference);
  if (parsed.digest === undefined)
    return 'it is named by a tag, and a tag cannot be served from a digest mirror';
  const why = await explainIncomplete(root, parsed, architecture, source);
  return why ?? (await explainUnserved(`${parsed.domain}/${parsed.path}`, parsed.digest));
}

/** From 4.21 on the cluster refuses a release image without a signature it can fetch. */
function signatureGap(release: string, version: string | undefined, lock: Lock): CoverageGap | undefined {
  const parsed = version === undefined ? undefined : parseReleaseVersion(version);
  if (parsed === undefined || FIRST_WITH_POLICY === undefined) return undefined;
  if (compareReleaseVersions(parsed, FIRST_WITH_POLICY) < 0) return undefined;
  const signed = lock.images.some(
    ({ source, digest: list, archDigest, signatures = [] }) =>
      [list, archDigest].some((digest) => `${source}@${digest}` === release) && signatures.length > 0,
  );
  if (signed) return undefined;
  return {
    reference: release,
    role: 'release',
    neededBy: ['the image policy of the cluster (4.21 and later)'],
    why: 'the lock has no sigstore signature of it',
  };
}
