import { isIPv6 } from 'node:net';
import { EdgefabError } from '../errors.ts';
import { type Digest, isDigest } from './digest.ts';
import { printable } from './printable.ts';

/** A fully qualified image reference. `domain` is HOST or HOST:PORT; a digest wins over a tag. */
export interface ImageReference {
  readonly domain: string;
  readonly path: string;
  readonly tag?: string;
  readonly digest?: Digest;
}

// Grammar: github.com/distribution/reference, reference.go.
const HOST_NAME = /^[a-zA-Z0-9](?:[a-zA-Z0-9-]*[a-zA-Z0-9])?(?:\.[a-zA-Z0-9](?:[a-zA-Z0-9-]*[a-zA-Z0-9])?)*$/;
const PATH = /^[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*(?:\/[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*)*$/;
const TAG = /^[A-Za-z0-9_][A-Za-z0-9._-]{0,127}$/;
const MAX_PATH_CHARACTERS = 255;
/** Host (253) + port + path (255) + tag (128) + digest (71), with the separators. */
const MAX_REFERENCE_CHARACTERS = 720;

/** Tells whether a text may be a repository path (`org/name`), which also keeps `..` and `//` out of URLs. */
export function isRepositoryPath(text: string): boolean {
  return text.length <= MAX_PATH_CHARACTERS && PATH.test(text);
}

/** Tells whether a text may be a tag. */
export function isTag(text: string): boolean {
  return TAG.test(text);
}

function isDomain(domain: string): boolean {
  const { host, port } = /^(?<host>\[[^\]]*\]|[^:]*)(?::(?<port>[0-9]{1,5}))?$/.exec(domain)?.groups ?? {};
  if (host === undefined || (port !== undefined && Number(port) > 65_535)) return false;
  return host.startsWith('[') ? isIPv6(host.slice(1, -1)) : host.length <= 253 && HOST_NAME.test(host);
}

/**
 * Parses HOST[:PORT]/PATH[:TAG][@sha256:HEX]. Short names are refused: which registry they mean depends on
 * the machine, and a lock must not. Docker Hub names get the one form container engines use
 * (docker.io/library/NAME). Throws REFERENCE_INVALID.
 */
export function parseReference(text: string): ImageReference {
  const bad = (why: string, suggestions: string[] = []): EdgefabError =>
    new EdgefabError(`image reference "${printable(text, 300)}" ${why}`, {
      code: 'REFERENCE_INVALID',
      suggestions,
      place: { image: printable(text, 300) },
    });
  if (text.length > MAX_REFERENCE_CHARACTERS)
    throw bad(`has ${text.length} characters, more than ${MAX_REFERENCE_CHARACTERS}`);
  const at = text.indexOf('@');
  const digest = at < 0 ? undefined : text.slice(at + 1);
  const name = at < 0 ? text : text.slice(0, at);
  if (digest !== undefined && !isDigest(digest))
    throw bad(`has a bad digest "${printable(digest, 100)}": want sha256: and 64 hex characters`);
  const slash = name.indexOf('/');
  const domain = name.slice(0, Math.max(slash, 0));
  const qualified = slash > 0 && (domain.includes('.') || domain.includes(':') || domain === 'localhost');
  if (!qualified)
    throw bad('names no registry host', [
      `Write the whole name, for example quay.io/${printable(name, 100)} or docker.io/library/${printable(name, 100)}`,
    ]);
  if (!isDomain(domain)) throw bad(`has a bad host "${printable(domain, 100)}"`);
  const rest = name.slice(slash + 1);
  const colon = rest.lastIndexOf(':');
  const path = colon < 0 ? rest : rest.slice(0, colon);
  const tag = colon < 0 ? undefined : rest.slice(colon + 1);
  if (!isRepositoryPath(path))
    throw bad(
      `has a bad repository path "${printable(path, 100)}": want lower-case letters, digits, . _ - and /`,
    );
  if (tag !== undefined && !isTag(tag)) throw bad(`has a bad tag "${printable(tag, 100)}"`);
  return {
    ...(domain === 'docker.io' || domain === 'index.docker.io'
      ? { domain: 'docker.io', path: path.includes('/') ? path : `library/${path}` }
      : { domain, path }),
    ...(tag === undefined ? {} : { tag }),
    ...(digest === undefined ? {} : { digest }),
  };
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
