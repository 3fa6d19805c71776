import { readFile } from 'node:fs/promises';
import { parseArgs } from 'node:util';
import pLimit from 'p-limit';
import { openRegistry } from '../../src/commands/terminal/registry-flags.ts';
import { parseLock } from '../../src/mirror/resolve/lock.ts';
import type { RegistryClient } from '../../src/oci/client.ts';
import type { Digest } from '../../src/oci/digest.ts';
import { type ImageManifest, parseManifest } from '../../src/oci/manifest.ts';
import { atDigest, formatReference, parseReference } from '../../src/oci/reference.ts';

export const summary = 'the true share of duplicates in an image set, from its manifests alone';

/** Bytes of blobs as a tool that goes image by image fetches them, and once each. */
interface Sums {
  duplicateBytes: number;
  readonly unique: Map<Digest, number>;
}

function add(sums: Sums, { config, layers }: ImageManifest): void {
  for (const { digest, sizeBytes } of new Map(
    [config, ...layers].map((blob) => [blob.digest, blob]),
  ).values()) {
    sums.duplicateBytes += sizeBytes;
    sums.unique.set(digest, sizeBytes);
  }
}

const uniqueBytes = ({ unique }: Sums): number => [...unique.values()].reduce((sum, size) => sum + size, 0);

/** Reads the manifests of an image: the one the lock keeps, and those of all architectures. */
async function manifestsOf(
  text: string,
  wanted: Digest,
  client: RegistryClient,
): Promise<{ readonly kept: boolean; readonly manifest: ImageManifest; readonly bytes: number }[]> {
  const reference = parseReference(text);
  const read = async (digest: Digest) => {
    const at = atDigest(reference, digest);
    const { bytes, mediaType } = await client.getManifest(at);
    return { parsed: parseManifest(bytes, mediaType, formatReference(at)), bytes: bytes.length };
  };
  const top = await read(reference.digest ?? wanted);
  if (top.parsed.kind === 'image') return [{ kept: true, manifest: top.parsed, bytes: top.bytes }];
  const children = await Promise.all(
    top.parsed.manifests.map(({ digest }) => read(digest).then((child) => ({ digest, child }))),
  );
  return children.flatMap(({ digest, child }, at) =>
    child.parsed.kind === 'image'
      ? [{ kept: digest === wanted, manifest: child.parsed, bytes: child.bytes + (at === 0 ? top.bytes : 0) }]
      : [],
  );
}

/** Prints what image by image and what once each would fetch, of a lock that `edgefab resolve` made. */
export async function run(args: readonly string[]): Promise<void> {
  const { values } = parseArgs({
    args: [...args],
    options: {
      lock: { type: 'string', default: 'edgefab.lock' },
      authfile: { type: 'string' },
      insecure: { type: 'boolean', default: false },
      parallel: { type: 'string', default: '12' },
    },
  });
  const lock = parseLock(await readFile(values.lock, 'utf8'), values.lock);
  const client = await openRegistry({
    authfile: values.authfile,
    'registries-conf': undefined,
    insecure: values.insecure,
    'retry-times': 3,
  });
  const all: Sums = { duplicateBytes: 0, unique: new Map() };
  const kept: Sums = { duplicateBytes: 0, unique: new Map() };
  let manifests = 0;
  let manifestBytes = 0;
  try {
    const limit = pLimit(Number(values.parallel));
    await Promise.all(
      lock.images.map(({ source, digest, archDigest }) =>
        limit(async () => {
          for (const { kept: ours, manifest, bytes } of await manifestsOf(
            `${source}@${digest}`,
            archDigest,
            client,
          )) {
            manifests += 1;
            manifestBytes += bytes;
            add(all, manifest);
            if (ours) add(kept, manifest);
          }
        }),
      ),
    );
  } finally {
    client.close();
  }
  const megabytes = (bytes: number): string => `${(bytes / 1e6).toFixed(1).padStart(10)} MB`;
  const once = uniqueBytes(kept);
  const rows: [string, number][] = [
    ['image by image, all architectures', all.duplicateBytes],
    ['once each, all architectures', uniqueBytes(all)],
    [`image by image, ${lock.arch}`, kept.duplicateBytes],
    [`once each, ${lock.arch}: what edgefab fetches`, once],
  ];
  process.stdout.write(
    `${lock.images.length} images, ${manifests} manifests read (${(manifestBytes / 1e6).toFixed(2)} MB), no layer\n`,
  );
  for (const [what, bytes] of rows)
    process.stdout.write(`${what.padEnd(46)} ${megabytes(bytes)}  ${(bytes / once).toFixed(2)} x\n`);
}
