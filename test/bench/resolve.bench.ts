import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { haveTools } from '../support/tools.ts';
import { edgefabDryRun, edgefabResolve } from './edgefab-resolve.ts';
import { figureTable, machineLine } from './figures.ts';
import { type Contestant, interleave } from './interleave.ts';
import type { ProcessFigures } from './measure-process.ts';
import { detectOcMirror, dryRun, type OcMirror } from './oc-mirror.ts';
import { CHANNEL, type ResolveWorld, startResolveWorld } from './resolve-world.ts';

export const summary = 'edgefab resolve against the dry run of oc-mirror (OC_MIRROR, OC_MIRROR_V1)';

const PEERS = ['OC_MIRROR', 'OC_MIRROR_V1'] as const;

/** The image sets: what stands below `mirror:`. */
const SETS: Readonly<Record<string, (world: ResolveWorld) => object>> = {
  'ten-packages': (world) => ({ operators: [tenPackages(world)] }),
  'catalog-heads': ({ catalog }) => ({ operators: [{ catalog }] }),
  'release-ten': (world) => ({
    platform: { channels: [{ name: CHANNEL }] },
    operators: [tenPackages(world)],
    additionalImages: world.additional.map((name) => ({ name })),
  }),
};

function tenPackages({ catalog, packages }: ResolveWorld): object {
  const step = Math.max(1, Math.floor(packages.length / 10));
  return {
    catalog,
    packages: packages
      .filter((_, at) => at % step === 0)
      .slice(0, 10)
      .map((name) => ({ name })),
  };
}

async function peersOfEnvironment(): Promise<OcMirror[]> {
  const peers: OcMirror[] = [];
  for (const name of PEERS) {
    const program = process.env[name];
    if (program === undefined || program === '') {
      process.stdout.write(
        `${name} is not set: that peer is skipped (${name}=PATH of an oc-mirror program)\n`,
      );
    } else {
      peers.push(await detectOcMirror(program));
    }
  }
  return peers;
}

/** Gives the digest a registry has for a tag. */
async function pinned(source: string): Promise<string> {
  const [, host = '', repository = '', tag = ''] = /^([^/]+)\/([^@]+):([^:/@]+)$/.exec(source) ?? [];
  if (host === '') return source;
  const answer = await fetch(`http://${host}/v2/${repository}/manifests/${tag}`, {
    method: 'HEAD',
    headers: { accept: 'application/vnd.docker.distribution.manifest.v2+json' },
  });
  return `${host}/${repository}@${answer.headers.get('docker-content-digest') ?? `unknown tag ${tag}`}`;
}

/** Says in words whether two lists are equal, and where they are not. */
function comparison(name: string, ours: readonly string[], peer: string, theirs: readonly string[]): string {
  const adds = ours.filter((image) => !theirs.includes(image));
  const lacks = theirs.filter((image) => !ours.includes(image));
  if (adds.length + lacks.length === 0) return `images of ${name}: ${ours.length}, the same as ${peer}\n`;
  const lines = [
    ...adds.map((image) => `  only ours   ${image}`),
    ...lacks.map((image) => `  only theirs ${image}`),
  ];
  return [
    `images of ${name}: ${ours.length}, ${theirs.length} of ${peer}: DIFFERENT`,
    ...lines.slice(0, 20),
    '',
  ].join('\n');
}

async function compareSet(
  set: string,
  peer: OcMirror | undefined,
  world: ResolveWorld,
  folder: string,
  runs: number,
): Promise<void> {
  const imageSet = join(folder, `${set}.yaml`);
  const apiVersion = `mirror.openshift.io/${peer?.version === 'v1' ? 'v1alpha2' : 'v2alpha1'}`;
  const document = { kind: 'ImageSetConfiguration', apiVersion, mirror: SETS[set]?.(world) };
  // JSON is YAML.
  await writeFile(imageSet, JSON.stringify(document, null, 2));
  const lists = new Map<string, readonly string[]>();
  const contestant = (
    name: string,
    run: (options: {
      imageSet: string;
      world: ResolveWorld;
      folder: string;
    }) => Promise<ProcessFigures & { images: readonly string[] }>,
  ): Contestant => ({
    name,
    run: async () => {
      const { images, ...figures } = await run({ imageSet, world, folder });
      lists.set(name, images);
      return figures;
    },
  });
  const names = contestant('edgefab --dry-run', edgefabDryRun);
  const locked = contestant('edgefab', edgefabResolve);
  const others = peer === undefined ? [] : [contestant(`oc-mirror ${peer.version}`, (o) => dryRun(peer, o))];
  process.stdout.write(`\n== ${set}, ${apiVersion}\n`);
  const figures = await interleave([names, locked, ...others], { runs, warmUp: false });
  const tableOf = (contestants: readonly Contestant[]): string =>
    figureTable(new Map(contestants.map(({ name }) => [name, figures.get(name) ?? []])));
  process.stdout.write(`the names of the images:\n${tableOf([names, ...others])}`);
  process.stdout.write(`the lock, with all manifests:\n${tableOf([locked, ...others])}`);
  const ours = lists.get(locked.name) ?? [];
  if (peer === undefined) {
    process.stdout.write(`images: ${ours.length}\n`);
    return;
  }
  // v1 does not list the catalog, which a cluster without a line needs too.
  const catalog = await pinned(world.catalog);
  const theirs = await pinnedOnce(lists.get(`oc-mirror ${peer.version}`) ?? []);
  for (const { name } of [names, locked]) {
    const found = await pinnedOnce(lists.get(name) ?? []);
    const expected = found.filter((image) => peer.version === 'v2' || image !== catalog);
    process.stdout.write(comparison(name, expected, `oc-mirror ${peer.version}`, theirs));
  }
}

async function pinnedOnce(images: readonly string[]): Promise<string[]> {
  return [...new Set(await Promise.all(images.map(pinned)))];
}

/** Resolves the same image sets with edgefab and, where given, with oc-mirror, and prints both with ratios. */
export async function run(args: readonly string[]): Promise<void> {
  const { values } = parseArgs({
    args: [...args],
    options: {
      size: { type: 'string', default: '500' },
      seed: { type: 'string', default: 'edgefab' },
      runs: { type: 'string', default: '3' },
      set: { type: 'string', multiple: true, default: Object.keys(SETS) },
    },
  });
  const unknown = values.set.find((name) => !Object.hasOwn(SETS, name));
  if (unknown !== undefined)
    throw new Error(`--set ${unknown} is not known: want ${Object.keys(SETS).join(', ')}`);
  if (!haveTools('docker-registry')) {
    process.stdout.write('bench resolve is skipped: docker-registry is not on PATH\n');
    return;
  }
  process.stdout.write(machineLine());
  const peers = await peersOfEnvironment();
  const world = await startResolveWorld({
    seed: values.seed,
    unpackedBytes: Number(values.size) * 1_000_000,
  });
  const folder = await mkdtemp(join(tmpdir(), 'edgefab-bench-'));
  try {
    const megabytes = (bytes: number): string => `${(bytes / 1e6).toFixed(0)} MB`;
    process.stdout.write(
      `catalog: ${world.packages.length} packages, ${megabytes(world.unpackedBytes)} unpacked, ${megabytes(world.packedBytes)} gzip\n`,
    );
    for (const set of values.set)
      for (const peer of peers.length === 0 ? [undefined] : peers)
        await compareSet(set, peer, world, folder, Number(values.runs));
  } finally {
    await world.close();
    await rm(folder, { recursive: true, force: true });
  }
}
