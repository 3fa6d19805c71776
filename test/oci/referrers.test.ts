import type { IncomingMessage, ServerResponse } from 'node:http';
import { afterEach, describe, expect, test } from 'vitest';
import { findImageSignatures } from '../../src/mirror/resolve/signature/find-image-signatures.ts';
import { createRegistryClient, type RegistryClientOptions } from '../../src/oci/client.ts';
import { digestHex, digestOf } from '../../src/oci/digest.ts';
import { MEDIA_TYPE } from '../../src/oci/manifest.ts';
import { parseReference } from '../../src/oci/reference.ts';
import { parseRegistriesConf } from '../../src/oci/registries-conf.ts';
import { REGISTRY_TOOLS, startDockerRegistry } from '../support/docker-registry.ts';
import { type FakeServer, startFakeServer } from '../support/fake-server.ts';
import { makeImage, pushImages } from '../support/made-image.ts';
import { makeTestHost } from '../support/test-host.ts';
import { haveTools } from '../support/tools.ts';

const absent = haveTools(...REGISTRY_TOOLS) ? '' : ` (skipped: needs ${REGISTRY_TOOLS.join(', ')})`;
const SUBJECT = digestOf(Buffer.from('subject'));
const BUNDLE = 'application/vnd.dev.sigstore.bundle.v0.3+json';

const cleanups: (() => unknown)[] = [];
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
});

function open(options: Partial<RegistryClientOptions> = {}) {
  const client = createRegistryClient(
    { credentials: { find: async () => undefined }, insecure: true, retryTimes: 0, ...options },
    makeTestHost(),
  );
  cleanups.push(client.close);
  return client;
}

type Answer = (response: ServerResponse, url: URL, request: IncomingMessage) => void;

/** A registry that answers its referrers path; everything else but `/v2/` is not found. */
async function registry(answer: Answer): Promise<FakeServer> {
  const server = await startFakeServer((request, response) => {
    const url = new URL(request.url ?? '/', 'http://registry');
    if (url.pathname === '/v2/') response.end('{}');
    else if (url.pathname === `/v2/org/app/referrers/${SUBJECT}`) answer(response, url, request);
    else response.writeHead(404).end('{"errors":[{"code":"MANIFEST_UNKNOWN"}]}');
  });
  cleanups.push(server.close);
  return server;
}

const entry = (name: string, artifactType = BUNDLE) => ({
  mediaType: MEDIA_TYPE.ociManifest,
  digest: digestOf(Buffer.from(name)),
  size: name.length,
  artifactType,
});
const index = (...manifests: object[]): string =>
  JSON.stringify({ schemaVersion: 2, mediaType: MEDIA_TYPE.ociIndex, manifests });
const parsed = (bytes: Uint8Array | undefined): { manifests: object[] } =>
  JSON.parse(Buffer.from(bytes ?? []).toString()) as { manifests: object[] };
const image = (host: string) => parseReference(`${host}/org/app`);

describe('referrers', () => {
  test('of all pages, as one index', async () => {
    const server = await registry((response, url) => {
      const page = url.searchParams.get('page');
      const next = page === null ? 'b' : page === 'b' ? 'c' : 'b';
      // The third page leads back: pages are not asked for twice.
      response.setHeader('link', `</v2/org/app/referrers/x?page=${next}&n=1>; rel="next"`);
      response.end(index(entry(page ?? 'a')));
    });
    const found = parsed(await open().getReferrers(image(server.host), SUBJECT));
    expect(found).toMatchObject({ schemaVersion: 2, manifests: [entry('a'), entry('b'), entry('c')] });
    expect(server.requests.map(({ path }) => path.split('?')[1])).toEqual([
      undefined,
      'page=b&n=1',
      'page=c&n=1',
    ]);
  });

  test.each([400, 404, 405, 501])('are undefined where the API is refused with %i', async (status) => {
    const server = await registry((response) => response.writeHead(status).end('404 page not found'));
    expect(await open().getReferrers(image(server.host), SUBJECT)).toBeUndefined();
  });

  test.each<[string, Answer, string]>([
    ['no index', (response) => response.end('{"tags":[]}'), 'REGISTRY_REFUSED'],
    ['a refusal', (response) => response.writeHead(403).end(), 'REGISTRY_UNAUTHORIZED'],
    ['a broken registry', (response) => response.writeHead(500).end(), 'REGISTRY_REFUSED'],
    [
      'a flood',
      (response) => response.end(index(...Array.from({ length: 10_001 }, () => ({})))),
      'REGISTRY_REFUSED',
    ],
  ])('%s', async (_, answer, code) => {
    const server = await registry(answer);
    await expect(open().getReferrers(image(server.host), SUBJECT)).rejects.toMatchObject({ code });
  });

  test('of the registry itself, where a mirror has none or no such API', async () => {
    const none = await registry((response) => response.end(index()));
    const old = await registry((response) => response.writeHead(404).end());
    const own = await registry((response) => response.end(index(entry('a'))));
    const registries = parseRegistriesConf(
      `[[registry]]\nlocation = "${own.host}"\n[[registry.mirror]]\nlocation = "${none.host}"\n[[registry.mirror]]\nlocation = "${old.host}"\n`,
      'r.conf',
    );
    const found = await open({ registries }).getReferrers(image(own.host), SUBJECT);
    expect(parsed(found).manifests).toEqual([entry('a')]);
    expect([none.requests.length, old.requests.length]).toEqual([1, 1]);
  });
});

describe('signatures of an image, by the real client', () => {
  test('are found by the referrers API', async () => {
    const server = await registry((response) =>
      response.end(index(entry('signature'), entry('sbom', 'application/spdx+json'))),
    );
    const found = await findImageSignatures(image(server.host), [SUBJECT], open());
    expect(found).toEqual([
      {
        subject: SUBJECT,
        digest: digestOf(Buffer.from('signature')),
        mediaType: MEDIA_TYPE.ociManifest,
        sizeBytes: 9,
      },
    ]);
  });

  test.skipIf(absent !== '')(
    `are found by tags where there is no such API (docker-registry)${absent}`,
    async () => {
      const server = await startDockerRegistry();
      cleanups.push(server.close);
      const subject = await makeImage({ seed: 'signed', layers: [{ seed: 'l', sizeBytes: 1000 }] });
      const signature = await makeImage({ seed: 'signature', layers: [{ seed: 's', sizeBytes: 100 }] });
      const tag = `sha256-${digestHex(subject.digest)}`;
      await pushImages(server, [
        { image: subject, repository: 'org/app', tag: 'v1' },
        { image: signature, repository: 'org/app', tag: `${tag}.sig` },
      ]);
      // The referrers tag (distribution-spec, "Unavailable Referrers API") is an index of what refers to it.
      const referrers = {
        mediaType: MEDIA_TYPE.ociManifest,
        digest: signature.digest,
        size: signature.manifest.length,
        artifactType: BUNDLE,
      };
      const put = await fetch(`${server.url}/v2/org/app/manifests/${tag}`, {
        method: 'PUT',
        headers: { 'content-type': MEDIA_TYPE.ociIndex },
        body: index(referrers),
      });
      expect(put.status).toBe(201);
      const client = open();
      expect(await client.getReferrers(image(server.host), subject.digest)).toBeUndefined();
      const found = await findImageSignatures(image(server.host), [subject.digest], client);
      expect(found).toMatchObject([{ digest: signature.digest, tag: `${tag}.sig` }]);
    },
  );
});
