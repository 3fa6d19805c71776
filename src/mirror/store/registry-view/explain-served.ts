import { open, stat } from 'node:fs/promises';
import { join, posix } from 'node:path';
import { EdgefabError } from '../../../errors.ts';
import { type Digest, digestOf, isDigest } from '../../../oci/digest.ts';
import { MAX_MANIFEST_BYTES, type Manifest, parseManifest } from '../../../oci/manifest.ts';
import { printable } from '../../../oci/printable.ts';
import { isTag } from '../../../oci/reference.ts';
import { storePaths } from '../store-paths.ts';
import { REGISTRY_VIEW, registryPaths } from './registry-paths.ts';
import { registryRepository } from './registry-repository.ts';

/**
 * Explains why a registry over the cache would not serve an image whole: the first path, relative to the cache
 * root, that is not there or not what it must be; undefined when all of it is served. `reference` is a digest or a
 * tag of `source` (HOST/PATH). Of a list, all children that are kept count, and one must be. Manifests are hashed;
 * blobs are looked at by size. Throws REFERENCE_INVALID for a source or
 * tag that is none.
 */
export async function explainServed(
  root: string,
  source: string,
  reference: string,
): Promise<string | undefined> {
  const repository = registryRepository(source);
  if (!isDigest(reference) && !isTag(reference)) {
    throw new EdgefabError(`"${printable(reference, 200)}" is neither a digest nor a tag of ${source}`, {
      code: 'REFERENCE_INVALID',
      place: { image: source },
    });
  }
  const gap = isDigest(reference)
    ? await manifestGap(root, repository, reference)
    : await tagGap(root, repository, reference);
  return gap === undefined ? undefined : posix.join(REGISTRY_VIEW, gap);
}

async function tagGap(root: string, repository: string, tag: string): Promise<string | undefined> {
  const path = registryPaths.tag(repository, tag);
  const digest = await readLink(root, path);
  return digest === undefined ? path : await manifestGap(root, repository, digest);
}

async function manifestGap(root: string, repository: string, digest: Digest): Promise<string | undefined> {
  const revision = registryPaths.revision(repository, digest);
  if ((await readLink(root, revision)) !== digest) return revision;
  const data = registryPaths.data(digest);
  const manifest = await readManifest(root, data, digest);
  if (manifest === undefined) return data;
  if (manifest.kind === 'index') return await indexGap(root, repository, manifest.manifests);
  for (const blob of [manifest.config, ...manifest.layers]) {
    const layer = registryPaths.layer(repository, blob.digest);
    if ((await readLink(root, layer)) !== blob.digest) return layer;
    const path = registryPaths.data(blob.digest);
    const found = await stat(join(storePaths.registryView(root), path)).catch(() => undefined);
    if (found?.isFile() !== true || found.size !== blob.sizeBytes) return path;
  }
  return undefined;
}

async function indexGap(
  root: string,
  repository: string,
  children: readonly { readonly digest: Digest }[],
): Promise<string | undefined> {
  let firstLeftOut: string | undefined;
  let kept = 0;
  for (const { digest } of children) {
    const revision = registryPaths.revision(repository, digest);
    if ((await readLink(root, revision)) === undefined) {
      firstLeftOut ??= revision;
      continue;
    }
    kept += 1;
    const gap = await manifestGap(root, repository, digest);
    if (gap !== undefined) return gap;
  }
  return kept === 0 ? firstLeftOut : undefined;
}

async function readLink(root: string, path: string): Promise<Digest | undefined> {
  const text = (await readBounded(join(storePaths.registryView(root), path), 100))?.toString('utf8');
  return text !== undefined && isDigest(text) ? text : undefined;
}

async function readManifest(root: string, path: string, digest: Digest): Promise<Manifest | undefined> {
  const bytes = await readBounded(join(storePaths.registryView(root), path), MAX_MANIFEST_BYTES);
  if (bytes === undefined || digestOf(bytes) !== digest) return undefined;
  try {
    return parseManifest(bytes, '', digest);
  } catch {
    return undefined;
  }
}

/** The bytes of a file; undefined when it is none, is larger than that, or cannot be read. */
async function readBounded(path: string, maxBytes: number): Promise<Buffer | undefined> {
  try {
    await using file = await open(path, 'r');
    const found = await file.stat();
    return found.isFile() && found.size <= maxBytes ? await file.readFile() : undefined;
  } catch {
    return undefined;
  }
}
