import { EdgefabError } from '../errors.ts';
import { printable } from './printable.ts';
import type { ImageReference } from './reference.ts';

/** How to prove who we are to a registry. `from` says where it was found, for messages. */
export type Credential =
  | { readonly username: string; readonly password: string; readonly from?: string }
  | { readonly identityToken: string; readonly from?: string };

/** A program that keeps the credentials: docker-credential-NAME, to be asked for `server`. */
export interface HelperEntry {
  readonly helper: string;
  readonly server: string;
  readonly from: string;
}

/** One authentication file, read. */
export interface Authfile {
  find(reference: ImageReference): Credential | HelperEntry | undefined;
}

/** By canonical key: what `credHelpers` says, then what `auths` says. */
type Entries = ReadonlyMap<string, Credential | HelperEntry>;

/** What may stand after docker-credential- : a program of that name on PATH, nothing else. */
const HELPER_NAME = /^[A-Za-z0-9][A-Za-z0-9._-]{0,99}$/;

function parseObject(value: unknown, field: string, where: string): Record<string, unknown> {
  if (typeof value === 'object' && value !== null && !Array.isArray(value))
    return value as Record<string, unknown>;
  throw invalid(where, field, 'is not an object');
}

/** Never takes a cause: JSON errors quote the text, and the text holds passwords. */
function invalid(where: string, field: string, what: string): EdgefabError {
  return new EdgefabError(`${where}: ${field} ${what}`, {
    code: 'AUTHFILE_INVALID',
    place: { file: where, field },
    suggestions: ['Compare it with containers-auth.json(5), or make it again with podman login --authfile'],
  });
}

/** Docker Hub is written in four ways; container engines treat them as one. */
function canonicalHost(host: string): string {
  return ['index.docker.io', 'registry-1.docker.io', 'registry.hub.docker.com'].includes(host)
    ? 'docker.io'
    : host;
}

/**
 * The key to look up by: `https://index.docker.io/v1/` and other URLs are the old form and mean their host;
 * the rest is HOST or a namespace in it.
 */
function canonicalKey(key: string): string {
  const bare = key.replace(/^https?:\/\//, '');
  const slash = bare.indexOf('/');
  const host = canonicalHost(slash < 0 ? bare : bare.slice(0, slash));
  return bare !== key || slash < 0 ? host : `${host}${bare.slice(slash).replace(/\/+$/, '')}`;
}

function parseAuth(text: string, field: string, where: string): { username: string; password: string } {
  const wrong = (what: string): EdgefabError => invalid(where, field, what);
  if (!/^[A-Za-z0-9+/_-]+={0,2}$/.test(text)) throw wrong('is not base64');
  let decoded: string;
  try {
    decoded = new TextDecoder('utf-8', { fatal: true }).decode(Buffer.from(text, 'base64'));
  } catch {
    throw wrong('is not UTF-8 text in base64');
  }
  const colon = decoded.indexOf(':');
  if (colon < 1) throw wrong('is not USER:PASSWORD in base64');
  // Old docker versions padded the password with NUL characters.
  return { username: decoded.slice(0, colon), password: decoded.slice(colon + 1).replace(/\0+$/, '') };
}

function parseEntry(value: unknown, field: string, where: string): Credential | undefined {
  const entry = parseObject(value, field, where);
  const textOf = (name: string): string => {
    const text = entry[name];
    if (text === undefined || text === null) return '';
    if (typeof text !== 'string') throw invalid(where, `${field}.${name}`, 'is not a text');
    return text;
  };
  const identityToken = textOf('identitytoken');
  if (identityToken !== '') return { identityToken, from: where };
  const auth = textOf('auth');
  if (auth !== '') return { ...parseAuth(auth, `${field}.auth`, where), from: where };
  const username = textOf('username');
  if (username !== '') return { username, password: textOf('password'), from: where };
  return undefined;
}

function parseEntries(text: string, where: string, needAuths: boolean): Entries {
  let json: unknown;
  try {
    json = JSON.parse(text);
  } catch {
    throw invalid(where, 'the file', 'is not JSON');
  }
  const body = parseObject(json, 'the file', where);
  if (needAuths && body.auths === undefined) throw invalid(where, 'auths', 'is missing');
  const entries = new Map<string, Credential | HelperEntry>();
  const helperOf = (value: unknown, server: string, field: string): HelperEntry | undefined => {
    if (value === undefined || value === '') return undefined;
    if (typeof value !== 'string') throw invalid(where, field, 'is not a text');
    if (!HELPER_NAME.test(value))
      throw invalid(where, field, 'does not name a docker-credential-NAME program');
    return { helper: value, server, from: where };
  };
  for (const [key, value] of Object.entries(parseObject(body.auths ?? {}, 'auths', where))) {
    // `credsStore` keeps the secret of every entry that stands empty in auths.
    const entry =
      parseEntry(value, `auths["${printable(key, 100)}"]`, where) ??
      helperOf(body.credsStore, key, 'credsStore');
    const canonical = canonicalKey(key);
    // An exact key wins over an old URL form of the same host.
    if (entry !== undefined && (canonical === key || !entries.has(canonical))) entries.set(canonical, entry);
  }
  // Where a helper is named for a registry, what auths has for it is not used (containers-auth.json(5)).
  for (const [key, value] of Object.entries(parseObject(body.credHelpers ?? {}, 'credHelpers', where))) {
    const entry = helperOf(value, key, `credHelpers["${printable(key, 100)}"]`);
    if (entry !== undefined) entries.set(canonicalKey(key), entry);
  }
  return entries;
}

/** `quay.io/a/b`, `quay.io/a`, `quay.io`: the keys that may hold a repository's entry, longest first. */
function keysOf(reference: ImageReference): string[] {
  const host = canonicalHost(reference.domain);
  const parts = reference.path.split('/');
  return [...parts.map((_, at) => [host, ...parts.slice(0, parts.length - at)].join('/')), host];
}

/**
 * Reads an authentication file (containers-auth.json(5), docker's config.json, an OpenShift pull secret).
 * `where` names it in errors, which never show what it holds. Throws AUTHFILE_INVALID; with `needAuths` also
 * when there is no `auths` at all.
 */
export function parseAuthfile(text: string, where: string, needAuths = false): Authfile {
  const entries = parseEntries(text, where, needAuths);
  return {
    find: (reference) => {
      for (const key of keysOf(reference)) {
        const entry = entries.get(key);
        if (entry !== undefined) return entry;
      }
      return undefined;
    },
  };
}
