import { join } from 'node:path';
import { EdgefabError } from '../errors.ts';
import type { Host } from '../host/host.ts';
import { type Authfile, type Credential, type HelperEntry, parseAuthfile } from './authfile.ts';
import { askCredentialHelper } from './credential-helper.ts';
import { readConfigFile } from './read-config-file.ts';
import type { ImageReference } from './reference.ts';

export type { Credential } from './authfile.ts';

/** Finds credentials for an image's registry; `looked` names the files it knows, for messages. */
export interface CredentialSource {
  readonly looked?: readonly string[];
  find(reference: ImageReference): Promise<Credential | undefined>;
}

/** A real one has a few kilobytes. */
const MAX_AUTHFILE_BYTES = 1024 * 1024;

const readAuthfile = (path: string): Promise<string | undefined> =>
  readConfigFile(path, {
    maxBytes: MAX_AUTHFILE_BYTES,
    tooLarge: 'AUTHFILE_INVALID',
    what: 'the authentication file',
  });

function sourceOf(
  files: readonly Authfile[],
  looked: readonly string[],
  host: Pick<Host, 'run'>,
): CredentialSource {
  // A helper may ask its user, so each is asked once, however many images want it.
  const answers = new Map<string, Promise<Credential | undefined>>();
  const askOnce = (entry: HelperEntry): Promise<Credential | undefined> => {
    const key = `${entry.helper} ${entry.server}`;
    const asking = answers.get(key) ?? askCredentialHelper(entry, host);
    answers.set(key, asking);
    asking.catch(() => answers.delete(key));
    return asking;
  };
  return {
    looked,
    find: async (reference) => {
      for (const file of files) {
        const found = file.find(reference);
        const credential = found !== undefined && 'helper' in found ? await askOnce(found) : found;
        if (credential !== undefined) return credential;
      }
      return undefined;
    },
  };
}

/** Reads a pull secret (the text itself); `where` names it in errors. Throws AUTHFILE_INVALID. */
export function parsePullSecret(text: string, where: string, host: Pick<Host, 'run'>): CredentialSource {
  return sourceOf([parseAuthfile(text, where, true)], [where], host);
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
 * user, docker's. Throws FILE_UNREADABLE and AUTHFILE_INVALID; its `find` what a credential helper throws.
 */
export async function loadCredentials(
  options: { readonly authfile?: string },
  host: Pick<Host, 'env' | 'homeDir' | 'run'>,
): Promise<CredentialSource> {
  const named = options.authfile ?? (host.env.REGISTRY_AUTH_FILE || undefined);
  if (named !== undefined) {
    const text = await readAuthfile(named);
    if (text !== undefined) return sourceOf([parseAuthfile(text, named)], [named], host);
    const asked = options.authfile === undefined ? 'REGISTRY_AUTH_FILE' : '--authfile';
    throw new EdgefabError(`the authentication file ${named}, named by ${asked}, does not exist`, {
      code: 'FILE_UNREADABLE',
      place: { file: named },
    });
  }
  const paths = usualAuthfiles(host);
  const texts = await Promise.all(paths.map(readAuthfile));
  const files = paths.flatMap((path, at) => {
    const text = texts[at];
    return text === undefined ? [] : [parseAuthfile(text, path)];
  });
  return sourceOf(files, paths, host);
}
