import { createHash } from 'node:crypto';
import { buffer } from 'node:stream/consumers';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { realHost } from '../../src/host/real-host.ts';
import { createRegistryClient, type RegistryClient } from '../../src/oci/client.ts';
import { type CredentialSource, loadCredentials } from '../../src/oci/credentials.ts';
import { digestOf } from '../../src/oci/digest.ts';
import { parseManifest, selectPlatform } from '../../src/oci/manifest.ts';
import { parseReference } from '../../src/oci/reference.ts';
import {
  type DockerRegistry,
  type DockerRegistryOptions,
  REGISTRY_TOOLS,
  startDockerRegistry,
} from '../support/docker-registry.ts';
import { blobsOf, makeImage, makeManifestList, pushImages, pushManifestList } from '../support/made-image.ts';
import { makeTestHost } from '../support/test-host.ts';
import { haveTools } from '../support/tools.ts';

const absent = haveTools(...REGISTRY_TOOLS) ? '' : ` (skipped: needs ${REGISTRY_TOOLS.join(', ')})`;
const anonymous: CredentialSource = { find: async () => undefined };
const base = { seed: 'base', sizeBytes: 300_000 };

const SORTS: readonly (DockerRegistryOptions & { readonly name: string })[] = [
  { name: 'open', auth: 'none' },
  { name: 'Basic access', auth: 'basic' },
  { name: 'token access', auth: 'token' },
  { name: 'open over TLS', auth: 'none', tls: true },
  { name: 'Basic access over TLS', auth: 'basic', tls: true },
];

describe.skipIf(absent !== '')(`the real docker-registry${absent}`, () => {
  describe.each(SORTS)('$name', (sort) => {
    let registry: DockerRegistry;
    let client: RegistryClient;
    const clients: RegistryClient[] = [];
    const open = (credentials: CredentialSource, insecure = sort.tls !== true): RegistryClient => {
      const certificateAuthorities = registry.certificate === undefined ? [] : [registry.certificate];
      const made = createRegistryClient(
        { credentials, insecure, certificateAuthorities, retryTimes: 0 },
        makeTestHost(Date.now()),
      );
      clients.push(made);
      return made;
    };

    beforeAll(async () => {
      registry = await startDockerRegistry(sort);
      client = open(await loadCredentials({ authfile: registry.authfile() }, realHost));
    });
    afterAll(async () => {
      for (const made of clients) made.close();
      await registry?.close();
    });

    test.each(['oci', 'docker'] as const)('reads a pushed %s image, byte for byte', async (format) => {
      const image = await makeImage({
        seed: format,
        layers: [base, { seed: `${format} own`, sizeBytes: 900_000 }],
        format,
      });
      await pushImages(registry, [{ image, repository: `org/${format}`, tag: 'v1' }]);
      const reference = parseReference(`${registry.host}/org/${format}:v1`);
      const byTag = await client.getManifest(reference);
      expect(Buffer.from(byTag.bytes)).toEqual(image.manifest);
      expect(byTag).toMatchObject({ digest: image.digest, mediaType: image.mediaType });
      const byDigest = await client.getManifest({ ...reference, digest: image.digest });
      expect(byDigest.digest).toBe(image.digest);
      for (const blob of blobsOf(image)) {
        const body = await client.openBlob(reference, blob.digest);
        expect(body).toMatchObject({ status: 200, sizeBytes: blob.bytes.length });
        expect(digestOf(await buffer(body.stream))).toBe(blob.digest);
      }
      const [, layer] = image.layers;
      if (layer === undefined) throw new Error('the image has two layers');
      const rest = await client.openBlob(reference, layer.digest, { offset: 1000 });
      expect(rest).toMatchObject({ status: 206, sizeBytes: layer.bytes.length - 1000 });
      expect(await buffer(rest.stream)).toEqual(layer.bytes.subarray(1000));
      // The registry has no byte there: the whole blob comes instead.
      const beyond = await client.openBlob(reference, layer.digest, { offset: layer.bytes.length + 5 });
      expect(beyond).toMatchObject({ status: 200, sizeBytes: layer.bytes.length });
      expect(await buffer(beyond.stream)).toEqual(layer.bytes);
      expect(await client.listTags(reference)).toEqual(['v1']);
    });

    test('reads 20 blobs at once without a warning', async () => {
      const layers = Array.from({ length: 20 }, (_, at) => ({ seed: `many ${at}`, sizeBytes: 50_000 }));
      const image = await makeImage({ seed: 'many', layers });
      await pushImages(registry, [{ image, repository: 'many', tag: 'v1' }]);
      const reference = parseReference(`${registry.host}/many:v1`);
      const warnings: Error[] = [];
      const warn = (warning: Error): number => warnings.push(warning);
      process.on('warning', warn);
      const fetched = await Promise.all(
        image.layers.map(async ({ digest }) => buffer((await client.openBlob(reference, digest)).stream)),
      );
      await new Promise(setImmediate);
      process.off('warning', warn);
      expect(fetched.map((bytes) => digestOf(bytes))).toEqual(image.layers.map(({ digest }) => digest));
      expect(warnings).toEqual([]);
    });

    test('says that a manifest and a blob are not there', async () => {
      const reference = parseReference(`${registry.host}/org/nothing:v1`);
      await expect(client.getManifest(reference)).rejects.toMatchObject({ code: 'MANIFEST_UNKNOWN' });
      await expect(client.openBlob(reference, digestOf(Buffer.from('none')))).rejects.toMatchObject({
        code: 'BLOB_UNKNOWN',
        exitCode: 8,
      });
    });

    if (sort.auth !== 'none')
      test('refuses without and with wrong credentials', async () => {
        const reference = parseReference(`${registry.host}/org/oci:v1`);
        await expect(
          open({ ...anonymous, looked: ['/a/b.json'] }).getManifest(reference),
        ).rejects.toMatchObject({
          code: 'REGISTRY_UNAUTHORIZED',
          message: expect.stringMatching(/org\/oci .*no credentials were sent.*\/a\/b\.json/),
          suggestions: expect.arrayContaining([expect.stringContaining('--authfile')]),
        });
        const wrong = { username: 'technician', password: 'a-wrong-password', from: '/c/d.json' };
        const error = await open({ find: async () => wrong })
          .getManifest(reference)
          .catch((caught: unknown) => caught);
        expect(error).toMatchObject({
          code: 'REGISTRY_UNAUTHORIZED',
          message: expect.stringContaining('credentials from /c/d.json were sent'),
        });
      });

    if (sort.tls === true)
      test('does not trust an unknown certificate unless insecure', async () => {
        const reference = parseReference(`${registry.host}/org/oci:v1`);
        const credentials = await loadCredentials({ authfile: registry.authfile() }, realHost);
        const options = { credentials, retryTimes: 0 };
        const strict = createRegistryClient(options, makeTestHost());
        const careless = createRegistryClient({ ...options, insecure: true }, makeTestHost());
        clients.push(strict, careless);
        await expect(strict.getManifest(reference)).rejects.toMatchObject({
          code: 'REGISTRY_UNREACHABLE',
          message: expect.stringContaining('certificate is not trusted'),
        });
        expect((await careless.getManifest(reference)).digest).toMatch(/^sha256:/);
      });

    if (sort.tls !== true)
      test('does not fall back to plain http unless insecure', async () => {
        await expect(
          open(anonymous, false).getManifest(parseReference(`${registry.host}/org/oci:v1`)),
        ).rejects.toMatchObject({ code: 'REGISTRY_UNREACHABLE', message: expect.stringContaining('TLS') });
      });
  });

  describe('token access', () => {
    let registry: DockerRegistry | undefined;
    afterEach(() => registry?.close());

    test('takes one token a repository, renews it when it runs out, and knows identity tokens', async () => {
      registry = await startDockerRegistry({ auth: 'token', tokenLifetimeSeconds: 120 });
      const image = await makeImage({ seed: 'token', layers: [base, { seed: 'more', sizeBytes: 1000 }] });
      await pushImages(registry, [{ image, repository: 'org/one', tag: 'v1' }]);
      await pushImages(registry, [{ image, repository: 'org/two', tag: 'v1' }]);
      const asked = registry.tokenServer?.asked ?? [];
      asked.length = 0;
      const host = makeTestHost(Date.now());
      const { identityToken } = registry;
      const credentials = { find: async () => ({ identityToken }) };
      const client = createRegistryClient({ credentials, insecure: true, retryTimes: 0 }, host);
      const [one, two] = ['one', 'two'].map((name) => parseReference(`${registry?.host}/org/${name}:v1`));
      if (one === undefined || two === undefined) throw new Error('two references were made');
      await Promise.all([client.getManifest(one), client.getManifest(one), client.getManifest(two)]);
      for (const { digest } of blobsOf(image)) (await client.openBlob(one, digest)).stream.destroy();
      expect(asked.map(({ method, scope }) => `${method} ${scope}`).sort()).toEqual([
        'POST repository:org/one:pull',
        'POST repository:org/two:pull',
      ]);
      host.advance(115_000);
      await client.getManifest(one);
      expect(asked).toHaveLength(3);
      client.close();
    });
  });

  describe('manifest lists', () => {
    test('serves the list, then the child of the wanted architecture', async () => {
      const registry = await startDockerRegistry();
      try {
        const images = await Promise.all(
          ['amd64', 'arm64'].map((architecture) =>
            makeImage({ seed: architecture, layers: [base], architecture, format: 'docker' }),
          ),
        );
        const list = makeManifestList(images, 'docker');
        await pushManifestList(registry, list, 'org/list', 'v1');
        const credentials = anonymous;
        const client = createRegistryClient({ credentials, insecure: true }, makeTestHost());
        const reference = parseReference(`${registry.host}/org/list:v1`);
        const fetched = await client.getManifest(reference);
        expect(fetched).toMatchObject({ digest: list.digest, mediaType: list.mediaType });
        const index = parseManifest(fetched.bytes, fetched.mediaType, 'org/list');
        if (index.kind !== 'index') throw new Error('a list was pushed');
        const chosen = selectPlatform(index, 'arm64', 'org/list');
        expect(chosen.digest).toBe(images[1]?.digest);
        const child = await client.getManifest({ ...reference, digest: chosen.digest });
        expect(createHash('sha256').update(child.bytes).digest('hex')).toBe(chosen.digest.slice(7));
        client.close();
      } finally {
        await registry.close();
      }
    });
  });
});
