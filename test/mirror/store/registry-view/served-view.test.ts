import { execFile, execFileSync } from 'node:child_process';
import { generateKeyPairSync, type KeyObject, verify } from 'node:crypto';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { promisify } from 'node:util';
import { describe, expect, test } from 'vitest';
import { lockId } from '../../../../src/mirror/resolve/lock.ts';
import { registryRepository } from '../../../../src/mirror/store/registry-view/registry-repository.ts';
import { writeRegistryView } from '../../../../src/mirror/store/registry-view/write-registry-view.ts';
import { type Digest, digestHex, digestOf } from '../../../../src/oci/digest.ts';
import { cachedSignature } from '../../../support/cosign-signature.ts';
import type { DockerRegistry } from '../../../support/docker-registry.ts';
import { type CachedImage, lockOfImages, makeImageCache } from '../../../support/image-cache.ts';
import { type MadeImage, type MadeList, makeImage, makeManifestList } from '../../../support/made-image.ts';
import { serveView } from '../../../support/served-view.ts';
import { tempFolder } from '../../../support/temp-folder.ts';
import { haveTools } from '../../../support/tools.ts';

const run = promisify(execFile);
const SOURCE = 'quay.io/org/app';
const DEEP = `quay.io/${Array.from({ length: 12 }, (_, at) => `level${at}`).join('/')}/app`;
const REGISTRY_TOOLS = ['docker-registry', 'skopeo'];
const noRegistry = haveTools(...REGISTRY_TOOLS) ? '' : ` (SKIPPED: needs ${REGISTRY_TOOLS.join(', ')})`;
const PODMAN_TOOLS = ['docker-registry', 'podman'];
const isRoot = process.getuid?.() === 0;
const noPodman =
  haveTools(...PODMAN_TOOLS) && isRoot ? '' : ` (SKIPPED: needs ${PODMAN_TOOLS.join(', ')} and root)`;

async function makeList(seed: string, format: 'docker' | 'oci'): Promise<MadeList> {
  const layers = [
    { seed: 'base', sizeBytes: 20_000 },
    { seed, sizeBytes: 9000 },
  ];
  const child = await makeImage({ seed, layers, format });
  const other = await makeImage({ seed: `${seed} arm64`, layers, format, architecture: 'arm64' });
  return makeManifestList([child, other], format);
}

const keys = (): { privateKey: KeyObject; publicKey: KeyObject } =>
  generateKeyPairSync('ec', { namedCurve: 'P-256' });

/** A signed list under a tag, the same path at another host with a port, a deep name. */
async function makeWorld(signer = keys()) {
  const list = await makeList('app', 'docker');
  const [child] = list.images;
  if (child === undefined) throw new RangeError('the list has images');
  const elsewhere = await makeImage({ seed: 'elsewhere', layers: [{ seed: 'base', sizeBytes: 20_000 }] });
  const deep = await makeList('deep', 'oci');
  const signatures = [list, child].map(({ digest: subject }) =>
    cachedSignature({ key: signer.privateKey, source: SOURCE, subject }),
  );
  const attached = cachedSignature({
    key: signer.privateKey,
    source: SOURCE,
    subject: list.digest,
    attached: true,
  });
  const signed = [...signatures, attached];
  const images: CachedImage[] = [
    { source: SOURCE, tag: 'v1', image: list, signatures: signed.map(({ image }) => image.digest) },
    { source: 'localhost:5000/org/app', tag: 'v1', image: elsewhere },
    { source: DEEP, image: deep },
    ...signed,
  ];
  const root = await makeImageCache(tempFolder(), images);
  return { root, images, list, child, elsewhere, deep, signatures, attached };
}

function ask(registry: DockerRegistry, path: string, init: RequestInit = {}): Promise<Response> {
  const accept = ['docker.distribution.manifest', 'oci.image.index', 'oci.image.manifest'].flatMap((type) =>
    type.startsWith('docker') ? [`${type}.v2+json`, `${type}.list.v2+json`] : [`${type}.v1+json`],
  );
  const headers = { accept: accept.map((type) => `application/vnd.${type}`).join(', '), ...init.headers };
  return fetch(`${registry.url}/v2/${path}`, { ...init, headers });
}

describe.skipIf(noRegistry !== '')(`the real docker-registry over a view${noRegistry}`, () => {
  test('skopeo reads a list, its child and a tag, byte for byte', async () => {
    const { root, list, child } = await makeWorld();
    const registry = await serveView(root);
    const name = `docker://${registry.host}/${registryRepository(SOURCE)}`;
    const skopeo = async (...args: string[]): Promise<Buffer> =>
      (await run('skopeo', args, { encoding: 'buffer' })).stdout;
    for (const [reference, manifest] of [
      [`@${list.digest}`, list.manifest],
      [`@${child.digest}`, child.manifest],
      [':v1', list.manifest],
    ] as const) {
      const raw = await skopeo('inspect', '--raw', '--tls-verify=false', name + reference);
      expect(raw).toEqual(manifest);
      const target = join(tempFolder(), 'copy');
      await skopeo(
        '--insecure-policy',
        '--override-arch=amd64',
        'copy',
        '--src-tls-verify=false',
        name + reference,
        `dir:${target}`,
      );
      expect(await skopeo('inspect', '--raw', `dir:${target}`)).toEqual(child.manifest);
    }
    const inspected = JSON.parse(
      String(await skopeo('--override-arch=amd64', 'inspect', '--tls-verify=false', `${name}:v1`)),
    );
    expect(inspected).toMatchObject({ Digest: list.digest, RepoTags: expect.arrayContaining(['v1']) });
  });

  test('HEAD, Range and Docker-Content-Digest are what clients count on', async () => {
    const { root, list, child } = await makeWorld();
    const registry = await serveView(root);
    const repository = registryRepository(SOURCE);
    for (const [reference, { digest, mediaType, manifest }] of [
      [list.digest, list],
      [child.digest, child],
      ['v1', list],
    ] as const) {
      const head = await ask(registry, `${repository}/manifests/${reference}`, { method: 'HEAD' });
      expect(head.status).toBe(200);
      expect(Object.fromEntries(head.headers)).toMatchObject({
        'docker-content-digest': digest,
        'content-type': mediaType,
        'content-length': String(manifest.length),
      });
    }
    const [layer] = child.layers;
    if (layer === undefined) throw new RangeError('the image has layers');
    const path = `${repository}/blobs/${layer.digest}`;
    const head = await ask(registry, path, { method: 'HEAD' });
    expect(Object.fromEntries(head.headers)).toMatchObject({
      'docker-content-digest': layer.digest,
      'content-length': String(layer.bytes.length),
    });
    const part = await ask(registry, path, { headers: { range: 'bytes=100-199' } });
    expect([part.status, part.headers.get('content-range')]).toEqual([
      206,
      `bytes 100-199/${layer.bytes.length}`,
    ]);
    expect(Buffer.from(await part.arrayBuffer())).toEqual(layer.bytes.subarray(100, 200));
    const whole = await ask(registry, path);
    expect(digestOf(Buffer.from(await whole.arrayBuffer()))).toBe(layer.digest);
  });

  test('hosts with the same path do not collide; a port and a deep name are served', async () => {
    const { root, list, elsewhere, deep } = await makeWorld();
    const registry = await serveView(root);
    const status = async (source: string, image: MadeImage | MadeList): Promise<number> =>
      (await ask(registry, `${registryRepository(source)}/manifests/${image.digest}`)).status;
    expect(await status(SOURCE, list)).toBe(200);
    expect(await status('localhost:5000/org/app', elsewhere)).toBe(200);
    expect(await status('localhost:5000/org/app', list)).toBe(404);
    expect(await status(SOURCE, elsewhere)).toBe(404);
    expect(await status(DEEP, deep)).toBe(200);
    const tagged = await ask(registry, `${registryRepository('localhost:5000/org/app')}/manifests/v1`);
    expect(tagged.headers.get('docker-content-digest')).toBe(elsewhere.digest);
    const catalog = (await (await ask(registry, '_catalog')).json()) as { repositories: string[] };
    expect(catalog.repositories.sort()).toEqual([DEEP, SOURCE, 'localhost__5000/org/app'].sort());
  });

  test('signatures are served by tag, and the attached one through the index of its subject', async () => {
    const { root, list, child, signatures, attached } = await makeWorld();
    const registry = await serveView(root);
    for (const [at, subject] of [list.digest, child.digest].entries()) {
      const tag = `sha256-${digestHex(subject)}.sig`;
      const answer = await ask(registry, `${SOURCE}/manifests/${tag}`);
      expect(Buffer.from(await answer.arrayBuffer())).toEqual(signatures[at]?.image.manifest);
    }
    const index = await ask(registry, `${SOURCE}/manifests/sha256-${digestHex(list.digest)}`);
    expect(index.headers.get('content-type')).toBe('application/vnd.oci.image.index.v1+json');
    const { manifests } = (await index.json()) as { manifests: { digest: string }[] };
    expect(manifests.map(({ digest }) => digest)).toEqual([attached.image.digest]);
    const referrer = await ask(registry, `${SOURCE}/manifests/${manifests[0]?.digest}`);
    expect(Buffer.from(await referrer.arrayBuffer())).toEqual(attached.image.manifest);
    const tags = (await (await ask(registry, `${SOURCE}/tags/list`)).json()) as { tags: string[] };
    expect(tags.tags).toHaveLength(4);
  });

  test('it takes nothing in, and a view that is replaced under it is served at once', async () => {
    const { root, images, list } = await makeWorld();
    const registry = await serveView(root);
    const upload = await ask(registry, `${SOURCE}/blobs/uploads/`, { method: 'POST' });
    expect(upload.status).toBe(405);
    const lock = lockOfImages(images.filter(({ source }) => source !== SOURCE));
    await writeRegistryView(root, lock);
    expect(lockId(lock)).not.toBe(lockId(lockOfImages(images)));
    expect((await ask(registry, `${SOURCE}/manifests/${list.digest}`)).status).toBe(404);
  });
});

/** A podman of its own: its store, policy and registries, and a view as the one mirror of an unreachable quay.io. */
function makePodman(registry: DockerRegistry, policy: object) {
  const home = tempFolder();
  const write = (path: string, text: string): string => {
    const full = join(home, path);
    mkdirSync(dirname(full), { recursive: true });
    writeFileSync(full, text);
    return full;
  };
  const registries = write(
    'registries.conf',
    `[[registry]]
prefix = "quay.io"
# Nobody listens on port 1.
location = "127.0.0.1:1"
mirror-by-digest-only = true
[[registry.mirror]]
location = "${registry.host}/quay.io"
insecure = true
`,
  );
  write(
    '.config/containers/registries.d/attachments.yaml',
    'default-docker: {use-sigstore-attachments: true}\n',
  );
  const policyFile = write('policy.json', JSON.stringify(policy));
  const store = ['--root', join(home, 'root'), '--runroot', join(home, 'run'), '--storage-driver', 'vfs'];
  const env = { ...process.env, HOME: home, CONTAINERS_REGISTRIES_CONF: registries };
  return {
    pull: (reference: string) =>
      run('podman', [...store, 'pull', '--quiet', '--signature-policy', policyFile, reference], { env }),
    digests: async (): Promise<string[]> => {
      const { stdout } = await run('podman', [...store, 'images', '--digests', '--format', '{{.Digest}}'], {
        env,
      });
      return stdout.trim().split('\n');
    },
  };
}

/** Debian builds podman without sigstore: such a policy then rejects everything, with these words. */
const sigstore =
  noPodman === '' &&
  !readFileSync(execFileSync('which', ['podman'], { encoding: 'utf8' }).trim()).includes('sigstore disabled');

/** Does what a container engine does with a sigstore policy: the tag, the payload, what it names, the key. */
async function verifySignature(registry: DockerRegistry, subject: Digest, key: KeyObject): Promise<void> {
  const answer = await ask(registry, `${SOURCE}/manifests/sha256-${digestHex(subject)}.sig`);
  const { layers } = (await answer.json()) as {
    layers: { digest: string; annotations: Record<string, string> }[];
  };
  expect(layers).toHaveLength(1);
  const [layer] = layers;
  const blob = await ask(registry, `${SOURCE}/blobs/${layer?.digest}`);
  const payload = Buffer.from(await blob.arrayBuffer());
  expect(JSON.parse(payload.toString())).toMatchObject({
    critical: { identity: { 'docker-reference': SOURCE }, image: { 'docker-manifest-digest': subject } },
  });
  const signature = Buffer.from(layer?.annotations['dev.cosignproject.cosign/signature'] ?? '', 'base64');
  expect(verify('sha256', payload, key, signature)).toBe(true);
}

const ANYTHING = { default: [{ type: 'insecureAcceptAnything' }] };

describe.skipIf(noPodman !== '')(`podman through a digest mirror, upstream unreachable${noPodman}`, () => {
  test('pulls a list and a child under the upstream name, and no tag', async () => {
    const { root, list, child } = await makeWorld();
    const podman = makePodman(await serveView(root), ANYTHING);
    await podman.pull(`${SOURCE}@${list.digest}`);
    await podman.pull(`${SOURCE}@${child.digest}`);
    expect(await podman.digests()).toContain(list.digest);
    await expect(podman.pull(`${SOURCE}:v1`)).rejects.toThrow(/connection refused/);
  }, 60_000);

  test(`a policy that wants signatures is content with those of the view (judge: ${sigstore ? 'podman' : 'node:crypto, as this podman was built without sigstore'})`, async () => {
    const signer = keys();
    const { root, list, child } = await makeWorld(signer);
    const registry = await serveView(root);
    if (!sigstore) {
      for (const { digest } of [list, child]) await verifySignature(registry, digest, signer.publicKey);
      return;
    }
    const trusting = (publicKey: KeyObject): object => {
      // cosign signs for a repository, not for one reference in it.
      const signedIdentity = { type: 'matchRepository' };
      const keyData = Buffer.from(publicKey.export({ type: 'spki', format: 'pem' })).toString('base64');
      return {
        default: [{ type: 'reject' }],
        transports: { docker: { 'quay.io': [{ type: 'sigstoreSigned', keyData, signedIdentity }] } },
      };
    };
    const podman = makePodman(registry, trusting(signer.publicKey));
    await podman.pull(`${SOURCE}@${list.digest}`);
    await podman.pull(`${SOURCE}@${child.digest}`);
    const stranger = makePodman(registry, trusting(keys().publicKey));
    await expect(stranger.pull(`${SOURCE}@${child.digest}`)).rejects.toThrow(/signature/i);
    const [unsigned] = (await makeList('deep', 'oci')).images;
    await expect(podman.pull(`${DEEP}@${unsigned?.digest}`)).rejects.toThrow(
      /signature was required, but no signature exists/,
    );
  }, 60_000);
});
