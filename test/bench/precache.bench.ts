import { mkdirSync, rmSync } from 'node:fs';
import { readFile, writeFile } from 'node:fs/promises';
import { homedir, tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { type DockerRegistry, startDockerRegistry } from '../support/docker-registry.ts';
import { figureTable, machineLine, spreadOf } from './figures.ts';
import { measureProcess, type ProcessFigures } from './measure-process.ts';
import { curlFlow, edgefabFlow, type Flow, skopeoFlow, telcoFlow } from './precache/flows.ts';
import { type PushedRelease, pushRelease } from './precache/release-workload.ts';
import { openShapedLine, PAYLOAD_SHARE, startDelayProxy } from './precache/shaped-line.ts';

export const summary = 'filling a cache against telco-ran-tools, skopeo and the limit of line, disk and CPU';

const OPTIONS = {
  runs: { type: 'string', default: '3' },
  scale: { type: 'string', default: '0.21' },
  parallel: { type: 'string', default: '6,16' },
  /** Of the telco-ran-tools flow; of skopeo; empty leaves it out. */
  telco: { type: 'string', default: '4' },
  skopeo: { type: 'string', default: '1,2,4' },
  /** A line of so many Mbit/s instead of loopback; needs root. */
  line: { type: 'string' },
  /** Milliseconds of round trip on that line. */
  delay: { type: 'string', default: '0' },
  /** Only so many of the images. */
  images: { type: 'string' },
} as const;

/** The made-up release is kept by scale between runs: making it takes two minutes. */
async function openRelease(scale: number, place: Parameters<typeof startDockerRegistry>[0]) {
  const cache = process.env.XDG_CACHE_HOME ?? join(homedir(), '.cache');
  const folder = join(cache, 'edgefab-bench', `release-2-${scale}`);
  const note = join(folder, 'release.json');
  const storageDir = join(folder, 'storage');
  let release = await readFile(note, 'utf8').then(
    (text) => JSON.parse(text) as PushedRelease,
    () => undefined,
  );
  if (release === undefined) {
    rmSync(folder, { recursive: true, force: true });
    process.stdout.write('making the release, about two minutes …\n');
    const registry = await startDockerRegistry({ storageDir });
    release = await pushRelease(registry.url, scale).finally(() => registry.close());
    await writeFile(note, JSON.stringify(release));
  }
  return { release, registry: await startDockerRegistry({ ...place, storageDir, readOnly: true }) };
}

/** Bytes of all bodies a registry has sent, out of its log. */
function sentBytes(registry: DockerRegistry): number {
  let sum = 0;
  for (const [, bytes] of registry.log().matchAll(/http\.response\.written=(\d+)/g)) sum += Number(bytes);
  return sum;
}

const megabytes = (bytes: number): string => `${(bytes / 1e6).toFixed(1)} MB`;
const counts = (text: string): number[] => text.split(',').filter(Boolean).map(Number);

function firstImages(release: PushedRelease, count: number): PushedRelease {
  const images = release.images.slice(0, count);
  return { ...release, images };
}

export async function run(args: readonly string[]): Promise<void> {
  const { values } = parseArgs({ args: [...args], options: OPTIONS });
  const mbit = values.line === undefined ? undefined : Number(values.line);
  const line = mbit === undefined ? undefined : openShapedLine(mbit);
  const place = line === undefined ? {} : { address: line.address, under: line.under };
  const folder = join(tmpdir(), `edgefab-bench-${process.pid}`);
  mkdirSync(folder);
  try {
    const opened = await openRelease(Number(values.scale), place);
    const { registry } = opened;
    const release =
      values.images === undefined ? opened.release : firstImages(opened.release, Number(values.images));
    const delay =
      Number(values.delay) > 0 ? await startDelayProxy(registry.host, Number(values.delay)) : undefined;
    try {
      const host = delay?.host ?? registry.host;
      const flows = [
        ...counts(values.parallel).map((parallel) => edgefabFlow(host, release, parallel)),
        ...(values.images === undefined ? [curlFlow(host, release, 6)] : []),
        ...counts(values.skopeo).map((workers) => skopeoFlow(host, release, workers)),
        ...counts(values.telco).map((workers) => telcoFlow(host, release, workers)),
      ];
      process.stdout.write(machineLine());
      process.stdout.write(describe(release));
      await race(flows, registry, { folder, runs: Number(values.runs), mbit });
    } finally {
      await delay?.close();
      await registry.close();
    }
  } finally {
    line?.close();
    rmSync(folder, { recursive: true, force: true });
  }
}

function describe(release: PushedRelease): string {
  return [
    `${release.images.length} images, ${release.architectureImages} with all architectures, ${release.uniqueBlobs} blobs`,
    `all architectures ${megabytes(release.duplicateBytes)}, once each ${megabytes(release.uniqueBytes)}`,
    `amd64 ${megabytes(release.amd64DuplicateBytes)}, once each ${megabytes(release.amd64UniqueBytes)}`,
    `bytes with duplicates / bytes once: ${(release.duplicateBytes / release.uniqueBytes).toFixed(2)}; image by image with all architectures / amd64 once: ${(release.duplicateBytes / release.amd64UniqueBytes).toFixed(2)}`,
    '',
  ].join('\n');
}

/** Runs the flows in turn, from an empty folder each, and prints what they took. */
async function race(
  flows: readonly Flow[],
  registry: DockerRegistry,
  {
    folder,
    runs,
    mbit,
  }: { readonly folder: string; readonly runs: number; readonly mbit: number | undefined },
): Promise<void> {
  const figures = new Map<string, ProcessFigures[]>(flows.map(({ name }) => [name, []]));
  const fetched = new Map<string, number>();
  const warm: ProcessFigures[] = [];
  const options = { cwd: folder, env: { PATH: process.env.PATH ?? '', HOME: folder } };
  for (let round = 0; round < runs; round += 1) {
    for (const { name, command } of flows) {
      const target = join(folder, `run-${round}-${name.replace(/\W+/g, '-')}`);
      mkdirSync(target);
      const before = sentBytes(registry);
      figures.get(name)?.push(await measureProcess(command(target), options));
      fetched.set(name, sentBytes(registry) - before);
      if (name === flows[0]?.name) warm.push(await measureProcess(command(target), options));
      rmSync(target, { recursive: true });
    }
  }
  process.stdout.write(figureTable(figures, ['wall', 'CPU', 'anonymous memory']));
  const [first] = flows;
  const ours = fetched.get(first?.name ?? '') ?? Number.NaN;
  for (const [name, bytes] of fetched) {
    const seconds = spreadOf((figures.get(name) ?? []).map(({ wallSeconds }) => wallSeconds)).min;
    const use =
      mbit === undefined
        ? ''
        : `, ${((bytes * 100) / seconds / ((mbit / 8) * 1e6 * PAYLOAD_SHARE)).toFixed(1)} % of the line`;
    process.stdout.write(`${name}: fetched ${megabytes(bytes)}, ${(bytes / ours).toFixed(2)} x${use}\n`);
  }
  const again = spreadOf(warm.map(({ wallSeconds }) => wallSeconds));
  process.stdout.write(`${first?.name} again on the complete cache: ${again.min.toFixed(2)} s\n`);
}
