import { EdgefabError } from '../errors.ts';
import { type Digest, isDigest } from './digest.ts';

/** A fully qualified image reference. `domain` is HOST or HOST:PORT; a digest wins over a tag. */
export interface ImageReference {
  readonly domain: string;
  readonly path: string;
  readonly tag?: string;
  readonly digest?: Digest;
}

// Grammar: github.com/distribution/reference, reference.go.
const DOMAIN =
  /^(?:\[[0-9a-fA-F:]+\]|[a-zA-Z0-9](?:[a-zA-Z0-9-]*[a-zA-Z0-9])?(?:\.[a-zA-Z0-9](?:[a-zA-Z0-9-]*[a-zA-Z0-9])?)*)(?::[0-9]{1,5})?$/;
const PATH = /^[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*(?:\/[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*)*$/;
const TAG = /^[A-Za-z0-9_][A-Za-z0-9._-]{0,127}$/;

/**
 * Parses HOST[:PORT]/PATH[:TAG][@sha256:HEX]. Short names are refused: which registry they mean depends on
 * the machine, and a lock must not. Throws REFERENCE_INVALID.
 */
export function parseReference(text: string): ImageReference {
  const bad = (why: string, suggestions: string[] = []): EdgefabError =>
    new EdgefabError(`image reference "${text.slice(0, 300)}" ${why}`, {
      code: 'REFERENCE_INVALID',
      suggestions,
      place: { image: text },
    });
  const at = text.indexOf('@');
  const digest = at < 0 ? undefined : text.slice(at + 1);
  const name = at < 0 ? text : text.slice(0, at);
  if (digest !== undefined && !isDigest(digest))
    throw bad(`has a bad digest "${digest}": want sha256: and 64 hex characters`);
  const slash = name.indexOf('/');
  const domain = name.slice(0, Math.max(slash, 0));
  const qualified = slash > 0 && (domain.includes('.') || domain.includes(':') || domain === 'localhost');
  if (!qualified)
    throw bad('names no registry host', [
      `Write the whole name, for example quay.io/${name} or docker.io/library/${name}`,
    ]);
  if (!DOMAIN.test(domain)) throw bad(`has a bad host "${domain}"`);
  const rest = name.slice(slash + 1);
  const colon = rest.lastIndexOf(':');
  const path = colon < 0 ? rest : rest.slice(0, colon);
  const tag = colon < 0 ? undefined : rest.slice(colon + 1);
  if (!PATH.test(path) || path.length > 255)
    throw bad(`has a bad repository path "${path}": want lower-case letters, digits, . _ - and /`);
  if (tag !== undefined && !TAG.test(tag)) throw bad(`has a bad tag "${tag}"`);
  return { domain, path, ...(tag === undefined ? {} : { tag }), ...(digest === undefined ? {} : { digest }) };
}

/** HOST[:PORT]/PATH, without tag and digest. */
export function repositoryOf(reference: ImageReference): string {
  return `${reference.domain}/${reference.path}`;
}

/** The reference as it is written in files: the digest, where there is one, after the tag. */
export function formatReference(reference: ImageReference): string {
  const tag = reference.tag === undefined ? '' : `:${reference.tag}`;
  const digest = reference.digest === undefined ? '' : `@${reference.digest}`;
  return `${repositoryOf(reference)}${tag}${digest}`;
}

/** HOST/PATH@DIGEST: the pull-by-digest form nodes ask for. */
export function atDigest(reference: ImageReference, digest: Digest): ImageReference {
  return { domain: reference.domain, path: reference.path, digest };
}
