import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { EdgefabError, hasCode } from '../errors.ts';
import type { Host } from '../host/host.ts';
import { readConfigFile } from './read-config-file.ts';
import { parseRegistriesConf, type RegistryEntry } from './registries-conf.ts';

export interface RegistriesOptions {
  /** A file that takes the place of the usual one, and must exist. */
  readonly file?: string;
  readonly etc?: string;
}

const MAX_CONF_BYTES = 1024 * 1024;

async function load(path: string): Promise<RegistryEntry[] | undefined> {
  const text = await readConfigFile(path, {
    maxBytes: MAX_CONF_BYTES,
    tooLarge: 'REGISTRIES_CONF_INVALID',
    what: 'the registries configuration',
  });
  return text === undefined ? undefined : parseRegistriesConf(text, path);
}

async function dropIns(folder: string): Promise<string[]> {
  try {
    const names = await readdir(folder);
    return names
      .filter((name) => name.endsWith('.conf'))
      .sort()
      .map((name) => join(folder, name));
  } catch (cause) {
    if (['ENOENT', 'ENOTDIR', 'EACCES'].some((code) => hasCode(cause, code))) return [];
    throw new EdgefabError(`the folder ${folder} cannot be read`, {
      code: 'FILE_UNREADABLE',
      place: { file: folder },
      cause,
    });
  }
}

/**
 * Reads where images are to be asked for, as container engines do: a named file (`file`, else
 * CONTAINERS_REGISTRIES_CONF), else the user's, else ETC's; then the drop-ins of ETC and of the user, each
 * replacing tables of the same prefix. With a file of the user's own only the user's drop-ins count
 * (containers-registries.conf.d(5)). Throws FILE_UNREADABLE, REGISTRIES_CONF_INVALID.
 */
export async function loadRegistries(
  options: RegistriesOptions,
  host: Pick<Host, 'env' | 'homeDir'>,
): Promise<RegistryEntry[]> {
  const system = join(options.etc ?? '/etc', 'containers');
  const user = join(host.env.XDG_CONFIG_HOME || join(host.homeDir, '.config'), 'containers');
  const named = options.file ?? (host.env.CONTAINERS_REGISTRIES_CONF || undefined);
  const own = named === undefined ? await load(join(user, 'registries.conf')) : undefined;
  const main = own ?? (await load(named ?? join(system, 'registries.conf')));
  if (main === undefined && named !== undefined) {
    const asked = options.file === undefined ? 'CONTAINERS_REGISTRIES_CONF' : '--registries-conf';
    throw new EdgefabError(`the registries configuration ${named}, named by ${asked}, does not exist`, {
      code: 'FILE_UNREADABLE',
      place: { file: named },
    });
  }
  const folders = own === undefined ? [system, user] : [user];
  const paths = (
    await Promise.all(folders.map((folder) => dropIns(join(folder, 'registries.conf.d'))))
  ).flat();
  const merged = new Map((main ?? []).map((entry) => [entry.prefix, entry]));
  for (const path of paths) for (const entry of (await load(path)) ?? []) merged.set(entry.prefix, entry);
  return [...merged.values()];
}
