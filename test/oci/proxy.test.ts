import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { buffer } from 'node:stream/consumers';
import { inspect } from 'node:util';
import { afterEach, describe, expect, onTestFinished, test } from 'vitest';
import { gotFetcher } from '../../src/mirror/resolve/got-fetcher.ts';
import { createRegistryClient, type RegistryClientOptions } from '../../src/oci/client.ts';
import { digestOf } from '../../src/oci/digest.ts';
import { MEDIA_TYPE } from '../../src/oci/manifest.ts';
import { parseProxySettings } from '../../src/oci/proxy-settings.ts';
import { parseReference } from '../../src/oci/reference.ts';
import { type FakeHandler, type FakeServer, startFakeServer } from '../support/fake-server.ts';
import { type ForwardProxyOptions, startForwardProxy } from '../support/forward-proxy.ts';
import { makeCertificate } from '../support/made-certificate.ts';
import { madeBytes } from '../support/made-image.ts';
import { makeTestHost } from '../support/test-host.ts';
import { haveTools } from '../support/tools.ts';

const noOpenssl = haveTools('openssl') ? '' : ' (skipped: needs openssl)';
const PASSWORD = 'proxy-passwörd:%';
const manifest = Buffer.from('{"schemaVersion":2}');
const blob = madeBytes('proxied', 300_000);

const cleanups: (() => unknown)[] = [];
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
});

describe('which proxy a request takes', () => {
  const both = { HTTP_PROXY: 'http://plain:1', HTTPS_PROXY: 'http://secure:2' };
  test.each<[Record<string, string>, string, string | undefined]>([
    [{}, 'https://quay.io', undefined],
    [both, 'https://quay.io', 'http://secure:2'],
    [both, 'http://quay.io', 'http://plain:1'],
    [{ HTTPS_PROXY: 'http://secure:2' }, 'http://quay.io', undefined],
    [{ ...both, https_proxy: 'lower:3' }, 'https://quay.io', 'http://lower:3'],
    [{ ...both, https_proxy: ' ' }, 'https://quay.io', 'http://secure:2'],
    [{ HTTPS_PROXY: 'https://u:p@tls.proxy' }, 'https://quay.io', 'https://tls.proxy'],
    [both, 'https://localhost:5000', undefined],
    [both, 'https://127.0.0.9:5000', undefined],
    [both, 'https://[::1]:5000', undefined],
  ])('%j: %s goes through %s', (env, target, want) => {
    const { protocol, hostname, port } = new URL(target);
    const secure = protocol === 'https:';
    const proxy = parseProxySettings({ env }).proxyFor(secure, hostname, Number(port || (secure ? 443 : 80)));
    expect(proxy?.shown).toBe(want);
  });

  test.each<[string, string, boolean]>([
    ['*', 'https://quay.io', true],
    ['quay.io', 'https://quay.io', true],
    ['QUAY.IO.', 'https://quay.io', true],
    ['quay.io', 'https://cdn.quay.io', true],
    ['quay.io', 'https://notquay.io', false],
    ['.quay.io', 'https://cdn.quay.io', true],
    ['.quay.io', 'https://quay.io', false],
    ['*.quay.io', 'https://cdn01.quay.io', true],
    ['*.quay.io', 'https://quay.io', false],
    ['quay.io:443', 'https://quay.io', true],
    ['quay.io:8443', 'https://quay.io', false],
    ['registry:5000', 'https://registry:5000', true],
    ['10.0.0.0/8', 'https://10.20.30.40', true],
    ['10.0.0.0/8', 'https://11.0.0.1', false],
    ['10.0.0.0/8', 'https://ten.example.com', false],
    ['10.0.0.0/99', 'https://10.0.0.1', false],
    ['192.168.1.7', 'https://192.168.1.7:5000', true],
    ['192.168.1.7:5001', 'https://192.168.1.7:5000', false],
    ['fd00::/8', 'https://[fd12::1]', true],
    ['fd12::1', 'https://[fd12::1]:5000', true],
    ['[fd12::1]:5000', 'https://[fd12::1]:5000', true],
    ['a.example, ,b.example  c.example', 'https://c.example', true],
    ['', 'https://quay.io', false],
  ])('NO_PROXY=%s: %s is direct: %s', (list, target, direct) => {
    const env = { HTTPS_PROXY: 'http://proxy:3128', no_proxy: '', NO_PROXY: list };
    const { hostname, port } = new URL(target);
    const proxy = parseProxySettings({ env }).proxyFor(true, hostname, Number(port || 443));
    expect(proxy === undefined).toBe(direct);
  });

  test.each(['socks5://u:hunter2@proxy:1080', 'http://u:hunter2@', 'http://u:hunter2%zz@proxy'])(
    'refuses %s without showing it',
    (value) => {
      let caught: unknown;
      try {
        parseProxySettings({ env: { HTTPS_PROXY: value } });
      } catch (error) {
        caught = error;
      }
      expect(caught).toMatchObject({
        code: 'USAGE_INVALID',
        message: expect.stringContaining('HTTPS_PROXY'),
      });
      expect(inspect(caught, { depth: 9, showHidden: true })).not.toContain('hunter2');
    },
  );
});

/** A registry with token access whose blobs come from a content server, all by names only the proxy knows. */
async function behindProxy(scheme: 'http' | 'https', options: Partial<ForwardProxyOptions> = {}) {
  const tls =
    scheme === 'https' ? makeCertificate('DNS:registry.test,DNS:token.test,DNS:cdn.test') : undefined;
  const names = { registry: 'registry.test:5000', token: 'token.test:5001', cdn: 'cdn.test:5002' };
  const serve = async (handler: FakeHandler): Promise<FakeServer> => {
    const server = await startFakeServer(handler, tls);
    cleanups.push(server.close);
    return server;
  };
  const registry = await serve((request, response) => {
    if (request.headers.authorization !== 'Bearer t') {
      const realm = `${scheme}://${names.token}/token`;
      response.writeHead(401, { 'www-authenticate': `Bearer realm="${realm}",service="s"` }).end();
    } else if (request.url?.includes('/blobs/')) {
      response.writeHead(307, { location: `${scheme}://${names.cdn}/content` }).end();
    } else response.writeHead(200, { 'content-type': MEDIA_TYPE.ociManifest }).end(manifest);
  });
  const token = await serve((_, response) => void response.end('{"token":"t"}'));
  const cdn = await serve((_, response) => {
    response.writeHead(200, { 'content-length': blob.length }).end(blob);
  });
  const routes = { [names.registry]: registry.host, [names.token]: token.host, [names.cdn]: cdn.host };
  const proxy = await startForwardProxy({ routes, ...options });
  const open = (proxyUrl: string, more: Partial<RegistryClientOptions> = {}) => {
    const proxies = parseProxySettings({ env: { HTTP_PROXY: proxyUrl, HTTPS_PROXY: proxyUrl } });
    const client = createRegistryClient(
      {
        credentials: { find: async () => undefined },
        insecure: scheme === 'http',
        certificateAuthorities: tls === undefined ? [] : [tls.certificate],
        retryTimes: 0,
        stallTimeoutMs: 2000,
        proxies,
        ...more,
      },
      makeTestHost(),
    );
    cleanups.push(client.close);
    return client;
  };
  return { proxy, registry, token, cdn, open, image: parseReference(`${names.registry}/org/app:v1`) };
}

describe.skipIf(noOpenssl !== '')(`every request goes through the proxy${noOpenssl}`, () => {
  test.each(['http', 'https'] as const)('%s: ping, token, manifest, redirected blob', async (scheme) => {
    const made = await behindProxy(scheme, { credentials: `user:${PASSWORD}` });
    const client = made.open(`http://user:${encodeURIComponent(PASSWORD)}@${made.proxy.host}`);
    expect((await client.getManifest(made.image)).digest).toBe(digestOf(manifest));
    const body = await client.openBlob(made.image, digestOf(blob));
    expect(digestOf(await buffer(body.stream))).toBe(digestOf(blob));
    const { forwarded } = made.proxy;
    if (scheme === 'https')
      expect([...new Set(forwarded)]).toEqual([
        'CONNECT registry.test:5000',
        'CONNECT token.test:5001',
        'CONNECT cdn.test:5002',
      ]);
    else
      expect(forwarded.filter((line) => line.startsWith('GET'))).toEqual([
        'GET http://registry.test:5000/v2/',
        'GET http://token.test:5001/token?scope=repository%3Aorg%2Fapp%3Apull&service=s',
        'GET http://registry.test:5000/v2/org/app/manifests/v1',
        `GET http://registry.test:5000/v2/org/app/blobs/${digestOf(blob)}`,
        'GET http://cdn.test:5002/content',
      ]);
    // Connections are kept: one tunnel a host.
    if (scheme === 'https') expect(forwarded).toHaveLength(3);
    expect(made.cdn.requests).toMatchObject([{ authorization: undefined }]);
  });

  test('a proxy that is reached over TLS', async () => {
    const own = makeCertificate('IP:127.0.0.1');
    const made = await behindProxy('https', { tls: own });
    // Not trusted by this machine: the failure names the proxy, not the registry's certificate.
    await expect(made.open(`https://${made.proxy.host}`).getManifest(made.image)).rejects.toMatchObject({
      code: 'REGISTRY_UNREACHABLE',
      message: expect.stringMatching(/the proxy https:\/\/127\S+ cannot be reached: its TLS certificate/),
    });
  });

  test('NO_PROXY is asked for each host of a chain', async () => {
    const made = await behindProxy('https');
    const env = { HTTPS_PROXY: `http://${made.proxy.host}`, NO_PROXY: '.test:5001' };
    const client = made.open('', { proxies: parseProxySettings({ env }) });
    // token.test is unknown to this machine's DNS, which shows that the proxy was not asked.
    await expect(client.getManifest(made.image)).rejects.toMatchObject({
      code: 'REGISTRY_UNREACHABLE',
      message: expect.stringContaining('at token.test:5001'),
    });
    expect(made.proxy.forwarded).toEqual(['CONNECT registry.test:5000']);
  });

  test.each<[string, Partial<ForwardProxyOptions>, number, RegExp]>([
    ['wants credentials', { credentials: 'a:b' }, 0, /wants other credentials \(HTTP 407\)/],
    ['forbids the host', { refuse: () => 403 }, 0, /answered HTTP 403 for registry\.test:5000/],
    ['is busy', { refuse: () => 503 }, 2, /answered HTTP 503 for registry\.test:5000/],
    ['says nothing', { silent: true }, 2, /cannot be reached: nothing arrived for too long/],
  ])('a proxy that %s', async (_, options, sleeps, message) => {
    const made = await behindProxy('https', options);
    const host = makeTestHost();
    const proxyUrl = `http://user:${encodeURIComponent(PASSWORD)}@${made.proxy.host}`;
    const client = createRegistryClient(
      {
        credentials: { find: async () => undefined },
        proxies: parseProxySettings({ env: { HTTPS_PROXY: proxyUrl } }),
        retryTimes: 2,
        stallTimeoutMs: 200,
      },
      host,
    );
    cleanups.push(client.close);
    const error = await client.getManifest(made.image).catch((caught: unknown) => caught);
    expect(error).toMatchObject({ code: 'REGISTRY_UNREACHABLE', message: expect.stringMatching(message) });
    expect(host.sleeps).toHaveLength(sleeps);
    const shown = inspect(error, { depth: Number.POSITIVE_INFINITY, showHidden: true });
    for (const secret of [PASSWORD, encodeURIComponent(PASSWORD), 'Basic '])
      expect(shown).not.toContain(secret);
  });

  test('a proxy nobody runs is named, and plain http is not tried instead', async () => {
    const made = await behindProxy('http');
    const gone = createServer();
    await new Promise<void>((resolve) => gone.listen(0, '127.0.0.1', resolve));
    const { port } = gone.address() as AddressInfo;
    await new Promise((resolve) => gone.close(resolve));
    await expect(made.open(`http://u:p@127.0.0.1:${port}`).getManifest(made.image)).rejects.toMatchObject({
      code: 'REGISTRY_UNREACHABLE',
      message: expect.stringContaining(`the proxy http://127.0.0.1:${port} cannot be reached`),
    });
  });
});

describe('update graphs and signature stores', () => {
  const ask = (proxyUrl: string) =>
    gotFetcher({
      maxBytes: 1000,
      retryTimes: 0,
      stallTimeoutMs: 2000,
      proxies: parseProxySettings({ env: { http_proxy: proxyUrl, https_proxy: proxyUrl } }),
    })({ path: 'http://graph.test/api?x=1', headers: {}, method: 'GET' } as never);

  test('go through the proxy too', async () => {
    const server = await startFakeServer((_, response) => void response.end('graph'));
    onTestFinished(() => server.close());
    const proxy = await startForwardProxy({
      routes: { 'graph.test:80': server.host },
      credentials: `user:${PASSWORD}`,
    });
    const answer = await ask(`http://user:${encodeURIComponent(PASSWORD)}@${proxy.host}`);
    expect(answer.status).toBe(200);
    expect(proxy.forwarded).toEqual(['GET http://graph.test/api?x=1']);
  });

  test('fail without showing the proxy’s credentials', async () => {
    const error = await ask('http://user:hunter2@proxy.invalid:3128').catch((caught: unknown) => caught);
    expect(error).toMatchObject({ message: expect.stringContaining('the proxy http://proxy.invalid:3128') });
    const shown = inspect(error, { depth: Number.POSITIVE_INFINITY, showHidden: true });
    for (const secret of ['hunter2', Buffer.from('user:hunter2').toString('base64')])
      expect(shown).not.toContain(secret);
  });
});
