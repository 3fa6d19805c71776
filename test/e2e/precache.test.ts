import { readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, onTestFinished, test } from 'vitest';
import { parseLock } from '../../src/mirror/resolve/lock.ts';
import { openBlobWriter } from '../../src/mirror/store/blob-writer.ts';
import { dirViewName } from '../../src/mirror/store/store-paths.ts';
import { makeContainersStorage } from '../support/containers-storage.ts';
import { type DockerRegistry, REGISTRY_TOOLS, startDockerRegistry } from '../support/docker-registry.ts';
import { blobsOf, makeImage, makeManifestList, pushImages, pushManifestList } from '../support/made-image.ts';
import { runEdgefab, runEdgefabJson } from '../support/run-edgefab.ts';
import { tempFolder } from '../support/temp-folder.ts';
import { haveTools } from '../support/tools.ts';

const ready = haveTools(...REGISTRY_TOOLS, 'podman');
const skipped = ready ? '' : ` (SKIPPED: needs ${[...REGISTRY_TOOLS, 'podman'].join(', ')})`;

const KIB = 1024;
const BASE = [
  { seed: 'base', sizeBytes: 700 * KIB },
  { seed: 'middle', sizeBytes: 300 * KIB },
];

/** Six images sharing layers, docker and OCI, by tag and digest, and a list of two architectures. */
async function fillRegistry(registry: DockerRegistry) {
  const image = (seed: string, format: 'docker' | 'oci') =>
    makeImage({ seed, format, layers: [...BASE, { seed, sizeBytes: 50 * KIB }] });
  const release = await image('release', 'docker');
  const operator = await image('operator', 'docker');
  const tool = await image('tool', 'oci');
  const list = makeManifestList(
    [
      await image('listed', 'docker'),
      await makeImage({
        seed: 'arm',
        format: 'docker',
        architecture: 'arm64',
        layers: [{ seed: 'arm', sizeBytes: 80 * KIB }],
      }),
    ],
    'docker',
  );
  await pushImages(registry, [
    { image: release, repository: 'openshift/release', tag: '4.18.9' },
    { image: operator, repository: 'org/team/operator', tag: 'v1' },
    { image: tool, repository: 'org/tool', tag: 'latest' },
  ]);
  await pushManifestList(registry, list, 'org/listed', 'multi');
  const [amd64, arm64] = list.images;
  if (amd64 === undefined || arm64 === undefined) throw new RangeError('the list has two images');
  return { release, operator, tool, list, amd64, arm64 };
}

function imageSet(registry: DockerRegistry, operatorDigest: string): string {
  return `apiVersion: mirror.openshift.io/v2alpha1
kind: ImageSetConfiguration
mirror:
  additionalImages:
    - name: ${registry.host}/openshift/release:4.18.9
    - name: ${registry.host}/org/team/operator@${operatorDigest}
    - name: ${registry.host}/org/tool:latest
    - name: ${registry.host}/org/listed:multi
`;
}

describe.skipIf(!ready).each(['basic', 'token'] as const)(
  `precache from a docker-registry with %s access${skipped}`,
  (auth) => {
    test('stores each blob once, and every view loads under its name and digest', async () => {
      const registry = await startDockerRegistry({ auth });
      onTestFinished(() => registry.close());
      const made = await fillRegistry(registry);
      const folder = tempFolder();
      const cache = join(folder, 'cache');
      const set = join(folder, 'imageset.yaml');
      writeFileSync(set, imageSet(registry, made.operator.digest));
      const command = ['precache', set, '--folder', cache, '--authfile', registry.authfile(), '--insecure'];

      const first = await runEdgefabJson(command);
      expect(first.stderr).not.toContain(registry.password);
      expect(first.document).toMatchObject({ kind: 'Precache', cache: { state: 'complete' }, heldBytes: 0 });
      expect(first.status).toBe(0);

      const wanted = [made.release, made.operator, made.tool, made.amd64];
      const blobs = new Map(wanted.flatMap(blobsOf).map(({ digest, bytes }) => [digest, bytes.length]));
      const manifests = [...wanted.map(({ digest }) => digest), made.list.digest];
      const expected = [...blobs.keys(), ...manifests].map((digest) => digest.slice('sha256:'.length)).sort();
      expect(readdirSync(join(cache, 'blobs', 'sha256')).sort()).toEqual(expected);
      const unique = [...blobs.values()].reduce((sum, size) => sum + size, 0);
      expect(first.document.fetchedBytes).toBe(unique);
      // The registry was asked for each blob once, whoever shares it.
      const asked = [
        ...registry.log().matchAll(/"GET \/v2\/[^ "]*\/blobs\/(sha256:[0-9a-f]{64}) HTTP\/1.1" 200/g),
      ].map(([, digest]) => digest);
      expect(asked.sort()).toEqual([...blobs.keys()].sort());
      expect(readdirSync(join(cache, 'tmp'))).toEqual(['lock']);

      const lock = parseLock(readFileSync(join(cache, 'edgefab.lock'), 'utf8'), 'edgefab.lock');
      const storage = makeContainersStorage();
      onTestFinished(() => storage.remove());
      const names: string[] = [];
      for (const image of lock.images) {
        for (const digest of new Set([image.digest, image.archDigest])) {
          const name = `${image.source}@${digest}`;
          await storage.load(join(cache, dirViewName(image.source, digest)), name);
          names.push(name);
        }
      }
      expect(names).toContain(`${registry.host}/org/listed@${made.list.digest}`);
      expect(names).toHaveLength(5);
      for (const name of names) expect([name, await storage.exists(name)]).toEqual([name, true]);
      expect(await storage.exists(`${registry.host}/org/listed@${made.arm64.digest}`)).toBe(false);

      const verified = await runEdgefabJson(['cache', 'verify', cache]);
      expect(verified.document).toMatchObject({ kind: 'CacheReport', images: 4, faults: [], strays: [] });

      const again = await runEdgefabJson(command);
      expect(again.document).toMatchObject({ fetchedBytes: 0, heldBytes: unique });
    });

    test('a partial left by a killed run is continued, not fetched again', async () => {
      const registry = await startDockerRegistry({ auth });
      onTestFinished(() => registry.close());
      const made = await fillRegistry(registry);
      const folder = tempFolder();
      const cache = join(folder, 'cache');
      const set = join(folder, 'imageset.yaml');
      writeFileSync(set, imageSet(registry, made.operator.digest));
      const command = ['precache', set, '--folder', cache, '--authfile', registry.authfile(), '--insecure'];
      await runEdgefab(command);
      // What a run killed at byte 100,000 of its largest layer leaves behind.
      const [layer] = made.release.layers;
      if (layer === undefined) throw new RangeError('the release image has layers');
      const blob = join(cache, 'blobs', 'sha256', layer.digest.slice('sha256:'.length));
      const bytes = readFileSync(blob);
      rmSync(blob);
      const writer = await openBlobWriter(cache, layer.digest, bytes.length);
      await writer.write(bytes.subarray(0, 100_000));
      await writer.suspend();

      const resumed = await runEdgefabJson(command);
      expect(resumed.status).toBe(0);
      expect(resumed.document.fetchedBytes).toBe(bytes.length - 100_000);
      expect(statSync(blob).size).toBe(bytes.length);
      expect((await runEdgefab(['cache', 'verify', cache])).status).toBe(0);
    });
  },
);
