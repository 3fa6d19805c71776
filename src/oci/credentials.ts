import { open } from 'node:fs/promises';
import { join } from 'node:path';
import { EdgefabError, hasCode } from '../errors.ts';
import type { Host } from '../host/host.ts';
import { type Authfile, type Credential, parseAuthfile } from './authfile.ts';
import type { ImageReference } from './reference.ts';

export type { Credential } from './authfile.ts';

/** Finds credentials for an image's registry; `looked` names the files it knows, for messages. */
export interface CredentialSource {
  readonly looked?: readonly string[];
  find(reference: ImageReference): Promise<Credential | undefined>;
}

/** A real one has a few kilobytes. */
const MAX_AUTHFILE_BYTES = 1024 * 1024;

async function readBounded(path: string): Promise<string | undefined> {
  try {
    await using file = await open(path, 'r');
    const buffer = Buffer.alloc(MAX_AUTHFILE_BYTES + 1);
    let size = 0;
    while (size < buffer.length) {
      const { bytesRead } = await file.read(buffer, size, buffer.length - size);
      if (bytesRead === 0) return buffer.toString('utf8', 0, size);
      size += bytesRead;
    }
  } catch (cause) {
    if (hasCode(cause, 'ENOENT') || hasCode(cause, 'ENOTDIR')) return undefined;
    throw new EdgefabError(`the authentication file ${path} cannot be read`, {
      code: 'FILE_UNREADABLE',
      place: { file: path },
      cause,
    });
  }
  throw new EdgefabError(`${path}: the file is larger than ${MAX_AUTHFILE_BYTES} bytes`, {
    code: 'AUTHFILE_INVALID',
    place: { file: path },
  });
}

function sourceOf(files: readonly Authfile[], looked: readonly string[]): CredentialSource {
  return {
    looked,
    find: async (reference) => {
      for (const file of files) {
        const credential = file.find(reference);
        if (credential !== undefined) return credential;
      }
      return undefined;
    },
  };
}

/** Reads a pull secret (the text itself); `where` names it in errors. Throws AUTHFILE_INVALID. */
export function parsePullSecret(text: string, where: string): CredentialSource {
  return sourceOf([parseAuthfile(text, where, true)], [where]);
}

/** Lists where credentials are looked for when no file is named, first found first asked (containers-auth.json(5)). */
export function usualAuthfiles(host: Pick<Host, 'env' | 'homeDir'>): string[] {
  const { XDG_RUNTIME_DIR, XDG_CONFIG_HOME, DOCKER_CONFIG } = host.env;
  return [
    ...(XDG_RUNTIME_DIR ? [join(XDG_RUNTIME_DIR, 'containers/auth.json')] : []),
    join(XDG_CONFIG_HOME || join(host.homeDir, '.config'), 'containers/auth.json'),
    join(DOCKER_CONFIG || join(host.homeDir, '.docker'), 'config.json'),
  ];
}

/**
 * Finds the authentication files as containers-auth.json(5) orders them: one that is named (`authfile`, else
 * REGISTRY_AUTH_FILE) must exist and is the only one; otherwise podman's for the session, podman's for the
 * user, docker's. Throws FILE_UNREADABLE and AUTHFILE_INVALID.
 */
export async function loadCredentials(
  options: { readonly authfile?: string },
  host: Pick<Host, 'env' | 'homeDir'>,
): Promise<CredentialSource> {
  const named = options.authfile ?? (host.env.REGISTRY_AUTH_FILE || undefined);
  if (named !== undefined) {
    const text = await readBounded(named);
    if (text !== undefined) return sourceOf([parseAuthfile(text, named)], [named]);
    const asked = options.authfile === undefined ? 'REGISTRY_AUTH_FILE' : '--authfile';
    throw new EdgefabError(`the authentication file ${named}, named by ${asked}, does not exist`, {
      code: 'FILE_UNREADABLE',
      place: { file: named },
    });
  }
  const paths = usualAuthfiles(host);
  const texts = await Promise.all(paths.map(readBounded));
  const files = paths.flatMap((path, at) => {
    const text = texts[at];
    return text === undefined ? [] : [parseAuthfile(text, path)];
  });
  return sourceOf(files, paths);
}
