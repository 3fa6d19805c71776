import { dirname, join, resolve } from 'node:path';
import { EdgefabError, type Fault, type Place } from '../errors.ts';
import type { Origin } from '../formats/checked-value.ts';
import { checkYaml } from '../formats/checked-yaml.ts';
import { compareFaults, faultsError } from '../formats/faults-error.ts';
import type { FieldPath } from '../formats/field-path.ts';
import { parseYamlDocument, type YamlDocument } from '../formats/yaml-document.ts';
import type { Host } from '../host/host.ts';
import { parseReference } from '../oci/reference.ts';
import { duplicateFaults } from './duplicate-sites.ts';
import type { Factory, FactoryRelease, FileReference } from './factory.ts';
import { finishSite, siteFaults } from './finish-site.ts';
import { mergeSite } from './merge-site.ts';
import { readText } from './read-text.ts';
import { salvageSite } from './salvage-site.ts';
import { type FactoryHead, factoryHeadSchema } from './schema.ts';
import { type PlacedDefaults, type PlacedEntry, siteOrigin } from './site-origin.ts';
import { defaultsSchema, siteEntrySchema } from './site-schema.ts';
import { parseSitesCsv } from './sites-csv.ts';

function originIn(document: YamlDocument, base: FieldPath): Origin {
  return {
    placeOf: (path, part) => document.placeOf([...base, ...path], part),
    sourceOf: (path) => document.sourceOf([...base, ...path]),
  };
}

function topLevel(document: YamlDocument, key: string): unknown {
  const { data } = document;
  const isMap = typeof data === 'object' && data !== null && Object.hasOwn(data, key);
  return isMap ? (data as Record<string, unknown>)[key] : undefined;
}

function readDefaults(document: YamlDocument, faults: Fault[]): PlacedDefaults {
  const origin = originIn(document, ['defaults']);
  if (topLevel(document, 'defaults') === undefined) return { keys: {}, origin, whole: true };
  const checked = checkYaml(document, defaultsSchema, ['defaults']);
  if (checked.ok) return { keys: checked.value, origin, whole: true };
  faults.push(...checked.faults);
  return { keys: {}, origin, whole: false };
}

function listedSites(document: YamlDocument, sites: readonly unknown[], faults: Fault[]): PlacedEntry[] {
  return sites.flatMap((raw, index): PlacedEntry[] => {
    const origin = originIn(document, ['sites', index]);
    const checked = checkYaml(document, siteEntrySchema, ['sites', index]);
    if (checked.ok) return [{ keys: checked.value, origin, whole: true }];
    faults.push(...checked.faults);
    const keys = salvageSite(raw);
    return keys === undefined ? [] : [{ keys, origin, whole: false }];
  });
}

function releaseOf({ release }: FactoryHead): FactoryRelease {
  const { version, image, arch = 'x86_64' } = release;
  if (image !== undefined)
    return { arch, image: parseReference(image), ...(version === undefined ? {} : { version }) };
  const [major = '', minor = ''] = version?.split('.') ?? [];
  return {
    arch,
    ...(version === undefined ? {} : { version }),
    channel: release.channel ?? `stable-${major}.${minor}`,
  };
}

/**
 * Loads factory.yaml and, where it says so, its sites from a CSV: checked whole, defaults laid under every
 * site, paths made absolute from the folder of the file, `~/` from the home folder. Throws FACTORY_INVALID
 * with all faults together, FILE_UNREADABLE when a file cannot be read. No file it names but the CSV is
 * read: see `missingFiles`.
 */
export async function loadFactory(path: string, { homeDir }: Pick<Host, 'homeDir'>): Promise<Factory> {
  const document = parseYamlDocument(await readText(path), { file: path, code: 'FACTORY_INVALID' });
  const folder = dirname(resolve(path));
  const faults: Fault[] = [];
  const files: FileReference[] = [];
  const absolute = (text: string): string =>
    text === '~' || text.startsWith('~/') ? join(homeDir, text.slice(1)) : resolve(folder, text);
  const needed = (text: string, place: Place): string => {
    const full = absolute(text);
    if (!files.some((file) => file.path === full)) files.push({ path: full, place });
    return full;
  };
  const neededAt = (text: string, ...field: FieldPath): string => needed(text, document.placeOf(field));

  const head = checkYaml(document, factoryHeadSchema);
  if (!head.ok) faults.push(...head.faults);
  const defaults = readDefaults(document, faults);
  const entries = await siteEntries(document, absolute, faults);

  const merged = entries.map((entry) => {
    const origin = siteOrigin(entry, defaults);
    return { site: mergeSite(defaults.keys, entry.keys), origin, whole: entry.whole && defaults.whole };
  });
  for (const { site, origin, whole } of merged) {
    if (whole) faults.push(...siteFaults(site, origin, !head.ok || head.value.installConfig !== undefined));
  }
  faults.push(...duplicateFaults(merged));
  if (!head.ok) throw invalid(path, faults);

  const { value } = head;
  const release = releaseOf(value);
  const fromRegistry = merged.some(({ site }) => (site.cache?.mode ?? 'registry') === 'registry');
  if (release.image !== undefined && release.image.digest === undefined && fromRegistry)
    faults.push({
      place: document.placeOf(['release', 'image']),
      message: `found a release image by tag, expected one by digest (…@sha256:…): digest mirrors serve no tags`,
    });
  if (faults.length > 0) throw invalid(path, faults);

  const { imageSet, installConfig, pullSecret, media, paths = {}, registry = {} } = value;
  const ca = registry.ca === undefined ? undefined : neededAt(registry.ca, 'registry', 'ca');
  return {
    file: path,
    release,
    ...(imageSet === undefined ? {} : { imageSet: neededAt(imageSet, 'imageSet') }),
    ...(installConfig === undefined ? {} : { installConfig: neededAt(installConfig, 'installConfig') }),
    ...(pullSecret === undefined
      ? {}
      : {
          pullSecret:
            'file' in pullSecret ? { file: neededAt(pullSecret.file, 'pullSecret', 'file') } : pullSecret,
        }),
    ...(value.signingKey === undefined
      ? {}
      : { signingKey: neededAt(value.signingKey.file, 'signingKey', 'file') }),
    sshKeys: (value.sshKeys ?? []).map((key, index) =>
      typeof key === 'string' ? key : { file: neededAt(key.file, 'sshKeys', index, 'file') },
    ),
    ...(media === undefined
      ? {}
      : {
          media: {
            liveIso: neededAt(media.liveIso, 'media', 'liveIso'),
            ...(media.installer === undefined
              ? {}
              : { installer: neededAt(media.installer, 'media', 'installer') }),
          },
        }),
    paths: {
      cache: absolute(paths.cache ?? 'cache'),
      out: absolute(paths.out ?? 'out'),
      lock: absolute(paths.lock ?? 'edgefab.lock'),
    },
    registry: {
      ...(ca === undefined ? {} : { ca }),
      ...(registry.image === undefined ? {} : { image: parseReference(registry.image) }),
    },
    sites: merged.map(({ site, origin }) =>
      finishSite(site, origin, (text, field) => needed(text, origin.placeOf(field))),
    ),
    files,
  };
}

async function siteEntries(
  document: YamlDocument,
  absolute: (path: string) => string,
  faults: Fault[],
): Promise<PlacedEntry[]> {
  const sites = topLevel(document, 'sites');
  if (Array.isArray(sites)) return listedSites(document, sites, faults);
  const from = typeof sites === 'object' && sites !== null && 'from' in sites ? sites.from : undefined;
  if (typeof from !== 'string') return [];
  try {
    const csv = parseSitesCsv(await readText(absolute(from)), from);
    faults.push(...csv.faults);
    return csv.entries;
  } catch (error) {
    if (!(error instanceof EdgefabError)) throw error;
    faults.push({ place: document.placeOf(['sites', 'from']), message: error.message });
    return [];
  }
}

function invalid(path: string, faults: readonly Fault[]): EdgefabError {
  // The factory's own faults first, then those of the files it names.
  const own = faults.filter(({ place }) => place.file === path);
  const others = faults.filter(({ place }) => place.file !== path);
  return faultsError(path, [...own.sort(compareFaults), ...others.sort(compareFaults)], {
    code: 'FACTORY_INVALID',
  });
}
