import { existsSync, readFileSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { z } from 'zod/v4';
import { EdgefabError } from '../../../src/errors.ts';
import type { ImageSet } from '../../../src/mirror/imageset/image-set.ts';
import { parseImageSet } from '../../../src/mirror/imageset/parse.ts';
import {
  type PlatformWish,
  selectPlatformReleases,
} from '../../../src/mirror/resolve/graph/cross-channels.ts';
import { loadGraph } from '../../../src/mirror/resolve/graph/load-graph.ts';
import { imageSetImages } from '../../../src/mirror/resolve/image-set-images.ts';
import { resolveImages } from '../../../src/mirror/resolve/resolve.ts';
import { architectureOf } from '../../../src/oci/architecture.ts';
import { createRegistryClient, type RegistryClient } from '../../../src/oci/client.ts';
import { parseReference } from '../../../src/oci/reference.ts';
import {
  makeOcMirrorWorld,
  OC_MIRROR_FOLDER,
  type ServedWorld,
  serveOcMirrorWorld,
} from '../../support/oc-mirror-world.ts';
import { makeTestHost } from '../../support/test-host.ts';
import { BOTH_REFUSE, ON_PURPOSE } from './oc-mirror-differences.ts';

const fixtures = process.env.EDGEFAB_FIXTURES;

function readJson<T>(schema: z.ZodType<T>, ...path: string[]): T {
  return schema.parse(JSON.parse(readFileSync(join(OC_MIRROR_FOLDER, ...path), 'utf8')));
}

const allCases = Object.entries(
  readJson(
    z.record(
      z.string(),
      z.strictObject({ what: z.string(), peer: z.enum(['v1', 'v2']), flags: z.array(z.string()).optional() }),
    ),
    'cases.json',
  ),
);
const titled = (cases: typeof allCases): [string, string][] =>
  cases.map(([name, { what, flags = [] }]) => [name, [what, ...flags].join(' ')]);
const isReal = ([name]: readonly [string, unknown]): boolean => name.includes('-real-');

let folder: string;
let world: ServedWorld;
let client: RegistryClient;
let keys: ReadonlyMap<string, string>;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'edgefab-test-'));
  world = await serveOcMirrorWorld(folder, fixtures);
  keys = new Map([...world.manifests].map(([key, { digest }]) => [digest, key]));
  const credentials = { find: async () => undefined };
  client = createRegistryClient({ credentials, insecure: true, retryTimes: 0 }, makeTestHost());
});

afterAll(async () => {
  client?.close();
  await world?.close();
  await rm(folder, { recursive: true });
});

/** One name for an image whichever way it was written: `repo:tag` of the world; others as they are. */
function nameOf(text: string): string {
  const reference = parseReference(text);
  if (reference.domain !== world.registry) return text;
  const { path, tag, digest } = reference;
  return digest === undefined ? `${path}:${tag ?? 'latest'}` : (keys.get(digest) ?? text);
}

function fileOf(name: string, file: string): string | undefined {
  const path = join(OC_MIRROR_FOLDER, 'cases', name, file);
  return existsSync(path) ? world.expand(readFileSync(path, 'utf8')) : undefined;
}

function parsedSet(name: string): ImageSet {
  return parseImageSet(fileOf(name, 'imageset.yaml') ?? '', 'imageset.yaml');
}

/** What oc-mirror listed; undefined where it refused. */
function theirList(name: string): string[] | undefined {
  const text = fileOf(name, 'expected.txt');
  if (text === undefined) {
    expect(fileOf(name, 'expected-error.txt')).toBeTruthy();
    return undefined;
  }
  // v1 handles the catalog image apart from its mapping file, so it does not show up there.
  const catalogs = name.endsWith('-v1') ? parsedSet(name).operators.map(({ catalog }) => catalog) : [];
  return [...text.trim().split('\n'), ...catalogs].map(nameOf).sort();
}

/** What edgefab would lock: wanted images resolved to digests; those of real registries as they are. */
async function ourList(name: string, forceFilter: boolean): Promise<string[]> {
  const imageSet = parsedSet(name);
  const [first = 'amd64'] = imageSet.platform.architectures;
  const architecture = architectureOf(first) ?? 'amd64';
  const options = { architecture, graph: world.graph, forceFilter };
  const { wanted } = await imageSetImages(imageSet, client, options);
  const isHere = ({ reference }: { readonly reference: string }): boolean =>
    reference.startsWith(`${world.registry}/`);
  const locked = await resolveImages(wanted.filter(isHere), client, { architecture, parallel: 4 });
  const elsewhere = wanted.filter((image) => !isHere(image)).map(({ reference }) => reference);
  const names = [...locked.map(({ source, digest }) => nameOf(`${source}@${digest}`)), ...elsewhere];
  return [...new Set(names)].sort();
}

async function refusalOf(list: Promise<readonly string[]>): Promise<string> {
  const outcome = await list.catch((error: unknown) => {
    if (error instanceof EdgefabError) return error.code;
    throw error;
  });
  return typeof outcome === 'string' ? outcome : `none: it lists ${outcome.join(' ')}`;
}

async function compare(name: string): Promise<void> {
  const theirs = theirList(name);
  const difference = ON_PURPOSE[name];
  const { adds = [], lacks = [] } = difference ?? {};
  const listed = difference !== undefined && difference.refuses === undefined;
  if (difference?.refuses !== undefined) {
    expect(await refusalOf(ourList(name, false))).toBe(difference.refuses);
    expect(theirs).toBeDefined();
    if (difference.equalWhenForced === true) expect(await ourList(name, true)).toEqual(theirs);
  } else if (theirs === undefined && !listed) {
    expect(await refusalOf(ourList(name, false))).toBe(BOTH_REFUSE[name.replace(/^\d+-|-v[12]$/g, '')]);
  } else {
    const wanted = [...(theirs ?? []).filter((image) => !lacks.includes(image)), ...adds].sort();
    expect(await ourList(name, false)).toEqual(wanted);
    expect(lacks.filter((image) => !theirs?.includes(image))).toEqual([]);
  }
}

describe('the image lists of oc-mirror', () => {
  it('are there for every difference', () => {
    const names = allCases.map(([name]) => name);
    expect(names).toHaveLength(182);
    expect(Object.keys(ON_PURPOSE).filter((name) => !names.includes(name))).toEqual([]);
  });

  it.each(titled(allCases.filter((item) => !isReal(item))))('%s: %s', compare);
});

describe.skipIf(fixtures === undefined)('its lists of real catalogs (needs EDGEFAB_FIXTURES)', () => {
  it.each(titled(allCases.filter(isReal)))('%s: %s', compare);
});

describe.skipIf(fixtures === undefined)('its picks from a real update graph (needs EDGEFAB_FIXTURES)', () => {
  const channel = z.strictObject({
    name: z.string(),
    minVersion: z.string().optional(),
    maxVersion: z.string().optional(),
    shortestPath: z.boolean().optional(),
    full: z.boolean().optional(),
  });
  const pick = z.object({ name: z.string(), channels: z.array(channel), versions: z.array(z.string()) });
  const { cases } = readJson(z.object({ cases: z.array(pick) }), 'graph', 'real-stable-4.13.expected.json');
  // The two ends of a path that leads down: refused, as a range that is crossed.
  const crossed = ['shortest-backwards'];

  it.each(cases)('$name', async ({ name, channels, versions }) => {
    const graph = await loadGraph(join(fixtures ?? '', 'graph', 'amd64-stable-4.13.json'));
    const wishes = channels.map((item) => ({ ...item, channel: item.name }) as PlatformWish);
    const picked = selectPlatformReleases(wishes, async () => graph).then(({ releases }) =>
      releases.map(({ version }) => version.text),
    );
    if (versions.length === 0 || crossed.includes(name))
      expect(await refusalOf(picked)).toBe('RELEASE_UNKNOWN');
    else expect(await picked).toEqual(versions);
  });
});

it('the made-up registry has the bytes its note prescribes', async () => {
  const { digests } = readJson(
    z.object({ digests: z.record(z.string(), z.string()) }),
    'reference-digests.json',
  );
  const { manifests } = await makeOcMirrorWorld('registry.test:5000');
  const made = Object.keys(digests).map((key) => [key, manifests.get(key)?.digest]);
  expect(Object.fromEntries(made)).toEqual(digests);
});
