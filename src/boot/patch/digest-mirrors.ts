import { EdgefabError } from '../../errors.ts';
import { isLineOrLater, type ReleaseVersion } from '../../formats/release-version.ts';
import type { NewFile } from '../ignition/edit-ignition.ts';
import { fileText } from '../ignition/file-contents.ts';
import type { Ignition } from '../ignition/ignition.ts';
import { type RepositoryMirror, sortedMirrors } from '../install-config/repository-mirror.ts';
import { isRecord, listIn, type Manifest, manifestFile, manifestOf } from './manifest-file.ts';

// The two names bootkube looks for, in its order: it hands the first it finds to `oc adm release info`.
const CONTENT_FILE = '/opt/openshift/manifests/image-content-source-policy.yaml';
const DIGEST_FILE = '/opt/openshift/manifests/image-digest-mirror-set.yaml';

/** The two kinds that set mirrors for pulls by digest, and where each keeps its list. */
const KINDS = {
  ImageContentSourcePolicy: { apiVersion: 'operator.openshift.io/v1alpha1', list: 'repositoryDigestMirrors' },
  ImageDigestMirrorSet: { apiVersion: 'config.openshift.io/v1', list: 'imageDigestMirrors' },
} as const;

type Kind = keyof typeof KINDS;
type Item = Readonly<Record<string, unknown>>;

function kindOf(ignition: Ignition, path: string, { kind }: Manifest): Kind {
  if (kind === 'ImageContentSourcePolicy' || kind === 'ImageDigestMirrorSet') return kind;
  throw new EdgefabError(
    `${ignition.where}: ${path}: got the kind ${String(kind).slice(0, 60)}, want ${Object.keys(KINDS).join(' or ')}`,
    { code: 'IGNITION_INVALID', place: { file: ignition.where, field: path } },
  );
}

/** Our mirror first: it is on the machine, any other is asked only for what it has not. */
function merged(items: readonly Item[], mirrors: readonly RepositoryMirror[]): Item[] {
  const out = [...items];
  for (const { source, mirror } of sortedMirrors(mirrors)) {
    const at = out.findIndex((item) => item.source === source);
    const known = out[at];
    const others = Array.isArray(known?.mirrors) ? known.mirrors : [];
    if (known === undefined) out.push({ source, mirrors: [mirror] });
    else if (!others.includes(mirror)) out[at] = { ...known, mirrors: [mirror, ...others] };
  }
  return out;
}

/**
 * Renders the manifest that sets mirrors by digest for the cluster and for bootkube's `oc`, in the file the config
 * has for it, or else a new one: ImageDigestMirrorSet from 4.13 on, before that ImageContentSourcePolicy.
 * On 4.13, whose installer writes a policy and whose first releases refuse a policy beside tag mirrors, a
 * policy becomes a mirror set when there are tag mirrors. Throws IGNITION_INVALID.
 */
export function digestMirrors(
  ignition: Ignition,
  mirrors: readonly RepositoryMirror[],
  version: ReleaseVersion,
  withTagMirrors: boolean,
): NewFile {
  const known = [CONTENT_FILE, DIGEST_FILE].find((path) => fileText(ignition, path) !== undefined);
  const newKind: Kind = isLineOrLater(version, 4, 13) ? 'ImageDigestMirrorSet' : 'ImageContentSourcePolicy';
  const path = known ?? (newKind === 'ImageDigestMirrorSet' ? DIGEST_FILE : CONTENT_FILE);
  const manifest = manifestOf(ignition, path);
  const kind = manifest === undefined ? newKind : kindOf(ignition, path, manifest);
  const items = manifest === undefined ? [] : listIn(ignition, path, manifest, ['spec', KINDS[kind].list]);
  const all = merged(items, mirrors);
  const converted = withTagMirrors && !isLineOrLater(version, 4, 14) ? newKind : kind;
  const lacksNothing = all.length === items.length && all.every((item, at) => item === items[at]);
  if (manifest !== undefined && lacksNothing && converted === kind)
    return { path, mode: 0o644, text: fileText(ignition, path) ?? '' };
  const { apiVersion, list } = KINDS[converted];
  const spec = isRecord(manifest?.spec) ? { ...manifest.spec } : {};
  delete spec[KINDS[kind].list];
  return manifestFile(path, {
    apiVersion,
    kind: converted,
    metadata: manifest?.metadata ?? { name: 'edgefab-mirrors' },
    spec: { ...spec, [list]: all },
  });
}
