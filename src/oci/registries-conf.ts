import { parse as parseToml, TomlError } from 'smol-toml';
import { z } from 'zod';
import { EdgefabError } from '../errors.ts';
import { printable } from './printable.ts';
import { formatReference, type ImageReference, parseReference } from './reference.ts';

/** One place to ask for an image. `reference` is the image under its name there. */
export interface RegistryEndpoint {
  readonly reference: ImageReference;
  readonly insecure: boolean;
  readonly mirror: boolean;
}

interface Mirror {
  readonly location: string;
  readonly insecure: boolean;
  readonly pull: 'all' | 'digest-only' | 'tag-only';
}

/** One `[[registry]]` table. `location` is empty where names stay as they are. */
export interface RegistryEntry {
  readonly prefix: string;
  readonly location: string;
  readonly insecure: boolean;
  readonly blocked: boolean;
  readonly mirrors: readonly Mirror[];
  /** The file it stands in. */
  readonly from: string;
}

const mirrorTable = z.object({
  location: z.string().min(1),
  insecure: z.boolean().default(false),
  'pull-from-mirror': z.enum(['all', 'digest-only', 'tag-only', '']).default(''),
});
const registryTable = z.object({
  prefix: z.string().default(''),
  location: z.string().default(''),
  insecure: z.boolean().default(false),
  blocked: z.boolean().default(false),
  'mirror-by-digest-only': z.boolean().default(false),
  'pull-from-mirror': z.undefined({ message: 'belongs to [[registry.mirror]]' }),
  mirror: z.array(mirrorTable).default([]),
});
// Other keys (short names, search lists) say nothing about names that are written out in full.
const document = z.object({
  registry: z.array(registryTable).default([]),
  registries: z.undefined({ message: 'is version 1 of the format; write [[registry]] tables' }),
});

const WILDCARD = /^\*\.[a-zA-Z0-9.-]+$/;

function faultOf(where: string): (what: string, field?: string) => EdgefabError {
  return (what, field) =>
    new EdgefabError(`${where}: ${what}`, {
      code: 'REGISTRIES_CONF_INVALID',
      place: { file: where, ...(field === undefined ? {} : { field }) },
      suggestions: ['Compare it with containers-registries.conf(5)'],
    });
}

function parseDocument(text: string, where: string): z.infer<typeof document> {
  let toml: unknown;
  try {
    toml = parseToml(text, { maxDepth: 20 });
  } catch (error) {
    if (!(error instanceof TomlError)) throw error;
    const { line, column: col } = error;
    const [reason = ''] = error.message.split('\n');
    throw new EdgefabError(`${where}:${line}:${col}: ${printable(reason, 200)}`, {
      code: 'REGISTRIES_CONF_INVALID',
      place: { file: where, line, col },
    });
  }
  const parsed = document.safeParse(toml);
  if (parsed.success) return parsed.data;
  const [issue] = parsed.error.issues;
  const field = issue?.path.join('.') ?? '';
  throw faultOf(where)(`${field}: ${issue?.message ?? 'invalid'}`, field);
}

/** Checks HOST[:PORT][/PATH] and takes a slash from its end. */
function cleanPlace(text: string, field: string, where: string): string {
  const place = text.replace(/\/+$/, '');
  const fault = (what: string) => faultOf(where)(`${field} "${printable(text, 200)}" ${what}`, field);
  if (place.includes('://')) throw fault('is a URL, want HOST[:PORT][/PATH]');
  if (/\s/.test(place) || place.startsWith('/')) throw fault('is not HOST[:PORT][/PATH]');
  return place;
}

/**
 * Reads the `[[registry]]` tables of a registries.conf, version 2 (containers-registries.conf(5)). `where` names
 * the file. Throws REGISTRIES_CONF_INVALID.
 */
export function parseRegistriesConf(text: string, where: string): RegistryEntry[] {
  const { registry } = parseDocument(text, where);
  const entries = new Map<string, RegistryEntry>();
  for (const [at, table] of registry.entries()) {
    const field = `registry[${at}]`;
    const fault = (what: string) => faultOf(where)(`${field} ${what}`, field);
    const location = cleanPlace(table.location, `${field}.location`, where);
    // A prefix may name one image by its digest.
    const prefix = table.prefix.replace(/\/+$/, '') || location;
    const wildcard = prefix.startsWith('*');
    if (prefix === '') throw fault('has neither prefix nor location');
    if (/\s|:\/\//.test(prefix) || (wildcard && !WILDCARD.test(prefix)))
      throw fault(`has the prefix "${printable(prefix, 200)}", want HOST[:PORT][/PATH] or *.HOST`);
    if (location === '' && !wildcard)
      throw fault('has no location, which only a *.HOST prefix may leave out');
    const digestOnly = table['mirror-by-digest-only'];
    const mirrors = table.mirror.map((mirror, number): Mirror => {
      const place = `${field}.mirror[${number}]`;
      const said = mirror['pull-from-mirror'];
      if (said !== '' && digestOnly)
        throw fault(`has mirror-by-digest-only, with which mirror[${number}] cannot have pull-from-mirror`);
      return {
        location: cleanPlace(mirror.location, `${place}.location`, where),
        insecure: mirror.insecure,
        pull: said === '' ? (digestOnly ? 'digest-only' : 'all') : said,
      };
    });
    const { insecure, blocked } = table;
    const entry = { prefix, location, insecure, blocked, mirrors, from: where };
    const known = entries.get(prefix);
    if (known !== undefined && JSON.stringify(known) !== JSON.stringify(entry))
      throw fault(`says something else about the prefix "${prefix}" than a table before it`);
    entries.set(prefix, entry);
  }
  return [...entries.values()];
}

/** How much of a name the prefix covers; undefined when it does not match. */
function matched(prefix: string, name: string): number | undefined {
  if (prefix.startsWith('*.')) {
    const host = name.slice(0, name.indexOf('/'));
    return host.endsWith(prefix.slice(1)) && host.length > prefix.length - 1 ? host.length : undefined;
  }
  if (!name.startsWith(prefix)) return undefined;
  const next = name[prefix.length];
  // A host without a port is not that host with one.
  const separators = prefix.includes('/') ? ['/', ':', '@', undefined] : ['/'];
  return separators.includes(next) ? prefix.length : undefined;
}

function moved(name: string, length: number, location: string, entry: RegistryEntry): ImageReference {
  try {
    return parseReference(`${location}${name.slice(length)}`);
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : 'it is no image reference';
    throw faultOf(entry.from)(`the location "${printable(location, 200)}" cannot serve ${name}: ${reason}`);
  }
}

/**
 * Lists where to ask for an image, in order: the mirrors that serve its kind of pull (by digest or by tag), then
 * the place itself. The table with the longest prefix counts. Throws REGISTRY_BLOCKED, REGISTRIES_CONF_INVALID.
 */
export function endpointsOf(
  reference: ImageReference,
  byDigest: boolean,
  entries: readonly RegistryEntry[],
): RegistryEndpoint[] {
  const name = formatReference(reference);
  let found: { entry: RegistryEntry; length: number } | undefined;
  for (const entry of entries) {
    const length = matched(entry.prefix, name);
    const longer = found === undefined || entry.prefix.length > found.entry.prefix.length;
    if (length !== undefined && longer) found = { entry, length };
  }
  if (found === undefined) return [{ reference, insecure: false, mirror: false }];
  const { entry, length } = found;
  if (entry.blocked)
    throw new EdgefabError(
      `${name} is blocked on this machine: ${entry.from} has blocked = true for ${entry.prefix}`,
      {
        code: 'REGISTRY_BLOCKED',
        place: { image: name, file: entry.from },
        suggestions: [`Change ${entry.from}, or name another file with --registries-conf`],
      },
    );
  const unfit = byDigest ? 'tag-only' : 'digest-only';
  const mirrors = entry.mirrors.filter(({ pull }) => pull !== unfit);
  const own = entry.location === '' ? reference : moved(name, length, entry.location, entry);
  return [
    ...mirrors.map(({ location, insecure }) => ({
      reference: moved(name, length, location, entry),
      insecure,
      mirror: true,
    })),
    { reference: own, insecure: entry.insecure, mirror: false },
  ];
}
