import { parse, stringify, type TomlTable } from 'smol-toml';
import { EdgefabError } from '../../errors.ts';
import type { NewFile } from '../ignition/edit-ignition.ts';
import { fileText } from '../ignition/file-contents.ts';
import type { Ignition } from '../ignition/ignition.ts';
import { type RepositoryMirror, sortedMirrors } from '../install-config/repository-mirror.ts';
import { isRecord } from './manifest-file.ts';

/** What podman, skopeo and CRI-O of the live system read (containers-registries.conf(5), version 2). */
const REGISTRIES_CONF = '/etc/containers/registries.conf';

function parsed(ignition: Ignition, text: string): { document: TomlTable; tables: TomlTable[] } {
  const bad = (why: string): EdgefabError =>
    new EdgefabError(`${ignition.where}: ${REGISTRIES_CONF} ${why}`, {
      code: 'IGNITION_INVALID',
      place: { file: ignition.where, field: REGISTRIES_CONF },
    });
  let document: TomlTable;
  try {
    document = parse(text, { maxDepth: 20 });
  } catch {
    throw bad('is not valid TOML');
  }
  const tables = document.registry ?? [];
  if (isRecord(document.registries)) throw bad('is version 1 of its format, want [[registry]] tables');
  const isTable = (value: unknown): value is TomlTable => isRecord(value);
  if (!Array.isArray(tables) || !tables.every(isTable))
    throw bad('has a registry that is not a list of tables');
  return { document, tables };
}

function locationsOf(table: TomlTable): unknown[] {
  const { mirror } = table;
  return Array.isArray(mirror) ? mirror.map((each) => (isRecord(each) ? each.location : undefined)) : [];
}

/**
 * Renders the live system's registries.conf with a mirror for each repository, for pulls by digest: what another
 * place serves cannot differ then. Tables that are there are kept, and the text too when it lacks nothing. Its
 * mode is 0644 whatever the installer wrote: rpm-ostree reads it without being root. Throws IGNITION_INVALID.
 */
export function liveRegistriesConf(ignition: Ignition, mirrors: readonly RepositoryMirror[]): NewFile {
  const text = fileText(ignition, REGISTRIES_CONF) ?? '';
  const { document, tables } = parsed(ignition, text);
  const out = [...tables];
  for (const { source, mirror } of sortedMirrors(mirrors)) {
    const at = out.findIndex((table) => (table.prefix ?? table.location) === source);
    const known = out[at];
    if (known === undefined)
      out.push({ location: source, 'mirror-by-digest-only': true, mirror: [{ location: mirror }] });
    else if (!locationsOf(known).includes(mirror))
      out[at] = {
        ...known,
        mirror: [{ location: mirror }, ...(Array.isArray(known.mirror) ? known.mirror : [])],
      };
  }
  const changed = out.some((table, at) => table !== tables[at]);
  return {
    path: REGISTRIES_CONF,
    mode: 0o644,
    text: changed ? stringify({ ...document, registry: out }) : text,
  };
}
