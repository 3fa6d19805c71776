import { execFile } from 'node:child_process';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { blobsOf, type MadeImage, type MadeList } from '../../src/factory/demo/made-image.ts';
import { digestHex } from '../../src/oci/digest.ts';
import type { DockerRegistry } from './docker-registry.ts';

export * from '../../src/factory/demo/made-image.ts';

const run = promisify(execFile);

/** Writes an image in skopeo's `dir:` form. */
export async function writeDirImage(image: MadeImage, folder: string): Promise<void> {
  await mkdir(folder, { recursive: true });
  await writeFile(join(folder, 'version'), 'Directory Transport Version: 1.1\n');
  await writeFile(join(folder, 'manifest.json'), image.manifest);
  for (const { digest, bytes } of blobsOf(image)) await writeFile(join(folder, digestHex(digest)), bytes);
}

type Target = Pick<DockerRegistry, 'host' | 'url' | 'authfile' | 'username' | 'password' | 'tokenServer'>;

export interface PushedImage {
  readonly image: MadeImage;
  readonly repository: string;
  /** Pushed by digest alone when not given. */
  readonly tag?: string;
}

/** Pushes images with skopeo, manifests byte for byte. */
export async function pushImages(registry: Target, pushed: readonly PushedImage[]): Promise<void> {
  const folder = await mkdtemp(join(tmpdir(), 'edgefab-push-'));
  try {
    for (const [at, { image, repository, tag }] of pushed.entries()) {
      const source = join(folder, String(at));
      await writeDirImage(image, source);
      const suffix = tag === undefined ? `@${image.digest}` : `:${tag}`;
      const safe = ['--insecure-policy', 'copy', '--quiet', '--preserve-digests'];
      const access = ['--dest-tls-verify=false', '--dest-authfile', registry.authfile()];
      await run('skopeo', [
        ...safe,
        ...access,
        `dir:${source}`,
        `docker://${registry.host}/${repository}${suffix}`,
      ]);
    }
  } finally {
    await rm(folder, { recursive: true });
  }
}

async function pushAuthorization(registry: Target, repository: string): Promise<Record<string, string>> {
  const basic = `Basic ${Buffer.from(`${registry.username}:${registry.password}`).toString('base64')}`;
  if (registry.tokenServer === undefined) return { authorization: basic };
  const { realm, service } = registry.tokenServer;
  const query = new URLSearchParams({ service, scope: `repository:${repository}:pull,push` });
  const answer = await fetch(`${realm}?${query}`, { headers: { authorization: basic } });
  const { token } = (await answer.json()) as { token: string };
  return { authorization: `Bearer ${token}` };
}

/** Puts raw manifest bytes into a plain-http registry, whose children must be there already. */
async function pushManifest(
  registry: Target,
  repository: string,
  reference: string,
  { manifest, mediaType }: Pick<MadeList, 'manifest' | 'mediaType'>,
): Promise<void> {
  const answer = await fetch(`${registry.url}/v2/${repository}/manifests/${reference}`, {
    method: 'PUT',
    headers: { 'content-type': mediaType, ...(await pushAuthorization(registry, repository)) },
    body: new Uint8Array(manifest),
  });
  if (answer.status !== 201)
    throw new Error(`PUT ${reference}: HTTP ${answer.status} ${await answer.text()}`);
}

/** Pushes a list and all its images; by tag too where one is given. */
export async function pushManifestList(
  registry: Target,
  list: MadeList,
  repository: string,
  tag?: string,
): Promise<void> {
  await pushImages(
    registry,
    list.images.map((image) => ({ image, repository })),
  );
  await pushManifest(registry, repository, tag ?? list.digest, list);
}
