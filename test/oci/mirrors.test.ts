import { buffer } from 'node:stream/consumers';
import { afterEach, describe, expect, test } from 'vitest';
import { createRegistryClient, type RegistryClientOptions } from '../../src/oci/client.ts';
import { digestOf } from '../../src/oci/digest.ts';
import { MEDIA_TYPE } from '../../src/oci/manifest.ts';
import { type ImageReference, parseReference } from '../../src/oci/reference.ts';
import { parseRegistriesConf } from '../../src/oci/registries-conf.ts';
import { type FakeHandler, type FakeServer, startFakeServer } from '../support/fake-server.ts';
import { makeTestHost } from '../support/test-host.ts';

const manifest = Buffer.from('{"schemaVersion":2}');
const DIGEST = digestOf(manifest);
const blob = Buffer.from('blob bytes');

const cleanups: (() => unknown)[] = [];
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
});

const serveAll: FakeHandler = (request, response) => {
  if (request.url?.includes('/blobs/')) response.writeHead(200, { 'content-length': blob.length }).end(blob);
  else response.writeHead(200, { 'content-type': MEDIA_TYPE.ociManifest }).end(manifest);
};
const refuse =
  (status: number, code = 'UNKNOWN'): FakeHandler =>
  (request, response) => {
    if (request.url === '/v2/') response.end('{}');
    else response.writeHead(status).end(JSON.stringify({ errors: [{ code, message: 'it says no' }] }));
  };

async function serve(handler: FakeHandler): Promise<FakeServer> {
  const server = await startFakeServer(handler);
  cleanups.push(server.close);
  return server;
}

/** Two mirrors and an origin under their own names; mirrors may be something that is no server. */
async function world(first: FakeHandler | string, second: FakeHandler | string, origin: FakeHandler) {
  const start = async (what: FakeHandler | string) =>
    typeof what === 'string' ? { host: what, requests: [] } : await serve(what);
  const [one, two, own] = [await start(first), await start(second), await start(origin)];
  const registries = parseRegistriesConf(
    `[[registry]]
location = "${own.host}"
[[registry.mirror]]
location = "${one.host}/m1"
insecure = true
[[registry.mirror]]
location = "${two.host}/m2"
insecure = true
`,
    'registries.conf',
  );
  const open = (options: Partial<RegistryClientOptions> = {}) => {
    const host = makeTestHost();
    const credentials = { find: async () => undefined };
    const client = createRegistryClient(
      { credentials, insecure: true, retryTimes: 1, registries, ...options },
      host,
    );
    cleanups.push(client.close);
    return { client, host };
  };
  return { one, two, own, open, image: parseReference(`${own.host}/org/app@${DIGEST}`) };
}

/** A port of loopback on which nobody listens. */
async function nobody(): Promise<string> {
  const server = await startFakeServer(() => {});
  await server.close();
  return server.host;
}

describe('mirrors', () => {
  test('the first that has it is the only one asked, under its own name', async () => {
    const { one, two, own, open, image } = await world(serveAll, serveAll, serveAll);
    const { client } = open();
    expect((await client.getManifest(image)).digest).toBe(DIGEST);
    const body = await client.openBlob(image, digestOf(blob), { offset: 0 });
    expect(await buffer(body.stream)).toEqual(blob);
    expect(one.requests.map(({ path }) => path)).toEqual([
      `/v2/m1/org/app/manifests/${DIGEST}`,
      `/v2/m1/org/app/blobs/${digestOf(blob)}`,
    ]);
    expect([two.requests, own.requests]).toEqual([[], []]);
  });

  test.each<[string, FakeHandler, number, number]>([
    // Asked for one image, again for the same, then for another of the same repository.
    ['does not have it', refuse(404, 'MANIFEST_UNKNOWN'), 1, 2],
    ['does not have the repository', refuse(404, 'NAME_UNKNOWN'), 1, 1],
    ['wants credentials', refuse(401), 1, 1],
    ['is broken', refuse(503), 2, 2],
    ['limits us', refuse(429, 'TOOMANYREQUESTS'), 2, 2],
  ])('one that %s is passed over and remembered', async (_, first, once, another) => {
    const { one, two, own, open, image } = await world(first, serveAll, serveAll);
    const { client } = open();
    await client.getManifest(image);
    await client.getManifest(image);
    expect(one.requests).toHaveLength(once);
    const tagged: ImageReference = { domain: image.domain, path: image.path, tag: 'v1' };
    await client.getManifest(tagged);
    expect(one.requests).toHaveLength(another);
    expect(two.requests).toHaveLength(3);
    expect(own.requests).toEqual([]);
  });

  test('one that cannot be reached is asked once a run', async () => {
    const { two, open, image } = await world(await nobody(), serveAll, serveAll);
    const { client, host } = open();
    for (let at = 0; at < 3; at += 1) await client.getManifest(image);
    expect(two.requests).toHaveLength(3);
    expect(host.sleeps).toEqual([]);
  });

  test('one that serves other bytes is passed over, for this image only', async () => {
    const wrong: FakeHandler = (request, response) =>
      request.url?.includes('/org/app/')
        ? void response.end('{"schemaVersion":3}')
        : serveAll(request, response);
    const { one, two, open, image } = await world(wrong, serveAll, serveAll);
    const { client } = open();
    await client.getManifest(image);
    await client.getManifest({ ...image, path: 'org/other' });
    expect(one.requests.map(({ path }) => path.split('/')[4])).toEqual(['app', 'app', 'other']);
    expect(two.requests).toHaveLength(1);
  });

  test('one whose blob was wrong is not asked for it again', async () => {
    const { one, two, open, image } = await world(serveAll, serveAll, serveAll);
    const { client } = open();
    const first = await client.openBlob(image, digestOf(blob));
    first.stream.destroy();
    first.distrust?.();
    (await client.openBlob(image, digestOf(blob))).stream.destroy();
    expect([one.requests.length, two.requests.length]).toEqual([1, 1]);
  });

  test('the error at the end is the registry’s own and names every place', async () => {
    const down = await nobody();
    const { one, own, open, image } = await world(
      refuse(404, 'MANIFEST_UNKNOWN'),
      down,
      refuse(404, 'MANIFEST_UNKNOWN'),
    );
    const { client } = open();
    for (let again = 0; again < 2; again += 1) {
      const error = await client.getManifest(image).catch((caught: unknown) => caught);
      expect(error).toMatchObject({ code: 'MANIFEST_UNKNOWN', exitCode: 8 });
      for (const host of [one.host, down, own.host])
        expect(error).toHaveProperty('message', expect.stringContaining(host));
    }
    expect(own.requests).toHaveLength(2);
    expect(one.requests).toHaveLength(1);
  });

  test('an unreachable registry behind mirrors says how to leave it out', async () => {
    const gone = await nobody();
    const registries = parseRegistriesConf(
      `[[registry]]\nlocation = "${gone}"\n[[registry.mirror]]\nlocation = "${(await serve(refuse(404))).host}"\n`,
      'registries.conf',
    );
    const { open } = await world(serveAll, serveAll, serveAll);
    const { client } = open({ registries });
    await expect(client.getManifest(parseReference(`${gone}/a:v1`))).rejects.toMatchObject({
      code: 'REGISTRY_UNREACHABLE',
      suggestions: expect.arrayContaining([expect.stringContaining('location of its [[registry]]')]),
    });
  });

  test('our own end is not taken for a mirror’s failure', async () => {
    const { own, open, image } = await world(() => {}, serveAll, serveAll);
    const { client } = open();
    const stop = new AbortController();
    const waiting = client.getManifest(image, { signal: stop.signal });
    setTimeout(() => stop.abort(new Error('stopped')), 50);
    await expect(waiting).rejects.toThrow('stopped');
    expect(own.requests).toEqual([]);
  });

  test('each place gets its own credentials and its own TLS rule', async () => {
    const guarded =
      (user: string): FakeHandler =>
      (request, response) => {
        const wanted = `Basic ${Buffer.from(`${user}:pw`).toString('base64')}`;
        if (request.headers.authorization === wanted) serveAll(request, response);
        else response.writeHead(401, { 'www-authenticate': 'Basic realm="r"' }).end();
      };
    const { one, two, own, open, image } = await world(refuse(404), guarded('two'), guarded('own'));
    const names = new Map([
      [one.host, 'one'],
      [two.host, 'two'],
      [own.host, 'own'],
    ]);
    const credentials = {
      find: async ({ domain }: ImageReference) => ({ username: names.get(domain) ?? '', password: 'pw' }),
    };
    const { client } = open({ credentials, insecure: false });
    expect((await client.getManifest(image)).digest).toBe(DIGEST);
    // The origin itself is not insecure: plain http is not tried there.
    const direct = open({ credentials, insecure: false, registries: [] }).client;
    await expect(direct.getManifest(image)).rejects.toMatchObject({ code: 'REGISTRY_UNREACHABLE' });
  });

  test('a blocked registry is not asked at all', async () => {
    const server = await serve(serveAll);
    const registries = parseRegistriesConf(
      `[[registry]]\nlocation = "${server.host}"\nblocked = true\n`,
      'r.conf',
    );
    const { open } = await world(serveAll, serveAll, serveAll);
    const { client } = open({ registries });
    const image = parseReference(`${server.host}/a:v1`);
    for (const ask of [
      () => client.getManifest(image),
      () => client.openBlob(image, DIGEST),
      () => client.listTags(image),
      () => client.getReferrers(image, DIGEST),
    ])
      await expect(ask()).rejects.toMatchObject({ code: 'REGISTRY_BLOCKED' });
    expect(server.requests).toEqual([]);
  });
});
