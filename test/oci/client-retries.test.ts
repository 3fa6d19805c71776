import * as http from 'node:http';
import * as https from 'node:https';
import * as net from 'node:net';
import { buffer } from 'node:stream/consumers';
import { afterEach, describe, expect, test } from 'vitest';
import { realHost } from '../../src/host/real-host.ts';
import { createRegistryClient, type RegistryClientOptions } from '../../src/oci/client.ts';
import { digestOf } from '../../src/oci/digest.ts';
import { MEDIA_TYPE } from '../../src/oci/manifest.ts';
import { parseReference } from '../../src/oci/reference.ts';
import { type FakeHandler, type FakeServer, startFakeServer } from '../support/fake-server.ts';
import { makeCertificate } from '../support/made-certificate.ts';
import { makeTestHost } from '../support/test-host.ts';
import { startTokenServer } from '../support/token-server.ts';
import { haveTools } from '../support/tools.ts';

const noOpenssl = haveTools('openssl') ? '' : ' (skipped: needs openssl)';
const manifest = Buffer.from('{"schemaVersion":2}');
const blob = Buffer.from('blob bytes');

const cleanups: (() => unknown)[] = [];
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
});

function open(
  options: Partial<RegistryClientOptions> = {},
  host: ReturnType<typeof makeTestHost> = makeTestHost(),
) {
  const credentials = { find: async () => undefined };
  const client = createRegistryClient({ credentials, insecure: true, ...options }, host);
  cleanups.push(client.close);
  return { client, host };
}

async function listen(server: net.Server, port = 0): Promise<string> {
  await new Promise<void>((resolve) => server.listen(port, '127.0.0.1', resolve));
  cleanups.push(() => server.close());
  return `127.0.0.1:${(server.address() as net.AddressInfo).port}`;
}

async function serve(...parameters: Parameters<typeof startFakeServer>): Promise<FakeServer> {
  const server = await startFakeServer(...parameters);
  cleanups.push(server.close);
  return server;
}

const ok = (response: http.ServerResponse): void => {
  response.writeHead(200, { 'content-type': MEDIA_TYPE.ociManifest }).end(manifest);
};
const image = (host: string) => parseReference(`${host}/org/app:v1`);

describe('a rate limit, in all its shapes', () => {
  const TOO_MANY = { errors: [{ code: 'TOOMANYREQUESTS', message: 'slow down' }] };
  const inHalfAMinute = new Date(Date.parse('2026-01-01T00:00:30Z')).toUTCString();
  const SHAPES: readonly [string, number, Record<string, string>, string, number?][] = [
    ['429 with seconds', 429, { 'retry-after': '17' }, '', 17_000],
    ['429 with a date', 429, { 'retry-after': inHalfAMinute }, '', 30_000],
    ['429 without', 429, {}, ''],
    ['429 with a wait of hours', 429, { 'retry-after': '7200' }, '', 120_000],
    ['503 with seconds', 503, { 'retry-after': '5' }, '', 5000],
    ['the code under 403', 403, {}, JSON.stringify(TOO_MANY)],
    ['the code under 401', 401, {}, JSON.stringify(TOO_MANY)],
    ['the code under 404', 404, {}, JSON.stringify(TOO_MANY)],
    ['the code under 400, small', 400, {}, '{"errors":[{"code":"too_many_requests"}]}'],
    ['a code of its own', 418, { 'retry-after': '3' }, '{"error":"TooManyRequests"}', 3000],
    ['Docker Hub’s words', 403, {}, 'toomanyrequests: You have reached your pull rate limit.'],
    ['a gateway’s words', 403, {}, '429 Too Many Requests'],
  ];
  test.each(SHAPES)('%s', async (_, status, headers, body, wait) => {
    for (const where of ['/v2/', '/token', '/manifests/', '/blobs/']) {
      const limited = new Set<string>([where]);
      const server = await serve((request, response) => {
        const url = request.url ?? '';
        const here = url === '/v2/' ? url : (/^\/token|\/manifests\/|\/blobs\//.exec(url)?.[0] ?? '');
        if (limited.delete(here)) response.writeHead(status, headers).end(body);
        else if (here === '/token') response.end('{"token":"t"}');
        else if (request.headers.authorization === undefined) {
          const realm = `http://${request.headers.host}/token`;
          response.writeHead(401, { 'www-authenticate': `Bearer realm="${realm}"` }).end();
        } else if (here === '/blobs/') response.writeHead(200, { 'content-length': blob.length }).end(blob);
        else ok(response);
      });
      const { client, host } = open();
      if (where === '/blobs/') (await client.openBlob(image(server.host), digestOf(blob))).stream.destroy();
      else await client.getManifest(image(server.host));
      expect(host.sleeps).toHaveLength(1);
      const [slept = 0] = host.sleeps;
      if (wait === undefined) expect([slept >= 500, slept <= 1000]).toEqual([true, true]);
      else expect(slept).toBe(wait);
    }
  });

  test('words about requests in other refusals are no rate limit', async () => {
    const server = await serve((request, response) => {
      if (request.url === '/v2/') response.end('{}');
      else
        response.writeHead(403).end('{"errors":[{"code":"DENIED","message":"too many requests were made"}]}');
    });
    const { client, host } = open();
    await expect(client.getManifest(image(server.host))).rejects.toMatchObject({
      code: 'REGISTRY_UNAUTHORIZED',
    });
    expect(host.sleeps).toEqual([]);
  });
});

describe('a registry that was there', () => {
  test('is tried again while it restarts', async () => {
    let server = http.createServer((_, response) => ok(response));
    const host = await listen(server);
    const clock = makeTestHost();
    const sleep: typeof clock.sleep = async (ms, signal) => {
      await clock.sleep(ms, signal);
      if (clock.sleeps.length < 2) return;
      server = http.createServer((_, response) => ok(response));
      await listen(server, Number(host.split(':')[1]));
    };
    const { client } = open({}, { ...clock, sleep });
    await client.getManifest(image(host));
    server.closeAllConnections();
    await new Promise((resolve) => server.close(resolve));
    await client.getManifest(image(host));
    expect(clock.sleeps).toHaveLength(2);
  });

  test('may send to a name that is not found just now, or to a port that is closed', async () => {
    for (const location of ['http://cdn.invalid/x', 'http://127.0.0.1:1/x']) {
      const server = await serve((request, response) => {
        if (request.url === '/v2/') response.end('{}');
        else response.writeHead(307, { location }).end();
      });
      const { client, host } = open({ retryTimes: 2 });
      await expect(client.openBlob(image(server.host), digestOf(blob))).rejects.toMatchObject({
        code: 'REGISTRY_UNREACHABLE',
      });
      expect(host.sleeps).toHaveLength(2);
    }
  });
});

describe.skipIf(noOpenssl !== '')(`TLS that breaks${noOpenssl}`, () => {
  const made = noOpenssl === '' ? makeCertificate() : { certificate: '', key: '' };
  const secure = { insecure: false, certificateAuthorities: [made.certificate] };
  const tlsServer = () =>
    https.createServer({ cert: made.certificate, key: made.key }, (_, response) => ok(response));

  test('in the handshake', async () => {
    const server = tlsServer();
    let cuts = 2;
    server.on('connection', (socket: net.Socket) => {
      if (cuts > 0) setImmediate(() => socket.resetAndDestroy());
      cuts -= 1;
    });
    const { client, host } = open(secure);
    await client.getManifest(image(await listen(server)));
    expect(host.sleeps).toHaveLength(2);
  });

  test('because a byte was changed on the way', async () => {
    const upstream = Number((await listen(tlsServer())).split(':')[1]);
    let damaged = 0;
    const relay = net.createServer((client) => {
      const server = net.connect(upstream, '127.0.0.1');
      let flights = 0;
      client.on('error', () => server.destroy()).pipe(server);
      server.on('error', () => client.destroy());
      server.on('data', (chunk: Buffer) => {
        flights += 1;
        if (flights === 1 && damaged < 2) {
          damaged += 1;
          chunk.writeUInt8(chunk.readUInt8(chunk.length - 1) ^ 1, chunk.length - 1);
        }
        client.write(chunk);
      });
      server.on('end', () => client.end());
    });
    const { client, host } = open(secure);
    await client.getManifest(image(await listen(relay)));
    expect([damaged, host.sleeps.length]).toEqual([2, 2]);
  });
});

describe('manifests that come badly', () => {
  test('damaged once, whole the next time', async () => {
    let asked = 0;
    const server = await serve((request, response) => {
      if (request.url === '/v2/') response.end('{}');
      else {
        asked += 1;
        if (asked === 1) response.end('{"schemaVersion":3}');
        else ok(response);
      }
    });
    const { client, host } = open();
    const byDigest = { ...image(server.host), digest: digestOf(manifest) };
    expect((await client.getManifest(byDigest)).digest).toBe(digestOf(manifest));
    expect(host.sleeps).toHaveLength(1);
  });

  test('a few bytes at a time for ever', async () => {
    const server = await serve((request, response) => {
      if (request.url === '/v2/') {
        response.end('{}');
        return;
      }
      response.writeHead(200, { 'content-type': MEDIA_TYPE.ociManifest });
      const timer = setInterval(() => response.write(' '), 20);
      response.on('close', () => clearInterval(timer));
    });
    const { client, host } = open({ stallTimeoutMs: 200, retryTimes: 1 });
    await expect(client.getManifest(image(server.host))).rejects.toMatchObject({
      code: 'REGISTRY_UNREACHABLE',
      message: expect.stringContaining('too slowly to ever end'),
    });
    expect(host.sleeps).toHaveLength(1);
  });

  test('headers a few bytes at a time for ever', async () => {
    const server = net.createServer((socket) => {
      socket.on('error', () => {});
      socket.write('HTTP/1.1 200 OK\r\nx-slow: ');
      const timer = setInterval(() => socket.write('a'), 20);
      socket.on('close', () => clearInterval(timer));
    });
    const { client } = open({ stallTimeoutMs: 200, retryTimes: 0 });
    await expect(client.getManifest(image(await listen(server)))).rejects.toMatchObject({
      code: 'REGISTRY_UNREACHABLE',
      message: expect.stringContaining('nothing arrived for too long'),
    });
  });

  test('slowly but steadily, for many stall times: no wall clock ends it', async () => {
    const large = Buffer.concat([manifest, Buffer.alloc(320 * 1024, ' ')]);
    const server = await serve((request, response) => {
      if (request.url === '/v2/') {
        response.end('{}');
        return;
      }
      let at = 0;
      const timer = setInterval(() => {
        response.write(large.subarray(at, at + 32 * 1024));
        at += 32 * 1024;
        if (at >= large.length) response.end();
      }, 100);
      response.on('close', () => clearInterval(timer));
    });
    const { client, host } = open({ stallTimeoutMs: 300, retryTimes: 0 });
    expect((await client.getManifest(image(server.host))).digest).toBe(digestOf(large));
    expect(host.sleeps).toEqual([]);
  });
});

describe.skipIf(noOpenssl !== '')(`tokens that run out in mid-run${noOpenssl}`, () => {
  const claims = (token: string): { exp: number } =>
    JSON.parse(Buffer.from(token.split('.')[1] ?? '', 'base64url').toString()) as { exp: number };

  test('every 2 seconds, under 8 streams: each is renewed once for all, nothing fails', async () => {
    const tokens = await startTokenServer({
      username: 'u',
      password: 'p',
      identityToken: 'i',
      signer: makeCertificate(),
      lifetimeSeconds: 2,
    });
    cleanups.push(tokens.close);
    let refused = 0;
    const guarded: FakeHandler = (request, response) => {
      const token = request.headers.authorization?.replace('Bearer ', '');
      if (token !== undefined && claims(token).exp * 1000 > Date.now()) {
        if (request.url?.includes('/blobs/')) response.end(blob);
        else ok(response);
        return;
      }
      if (token !== undefined) refused += 1;
      const challenge = `Bearer realm="${tokens.realm}",service="${tokens.service}"`;
      response.writeHead(401, { 'www-authenticate': challenge }).end();
    };
    const server = await serve(guarded);
    const credentials = { find: async () => ({ username: 'u', password: 'p' }) };
    const client = createRegistryClient({ credentials, insecure: true, retryTimes: 0 }, realHost);
    cleanups.push(client.close);
    const until = Date.now() + 5000;
    let answers = 0;
    await Promise.all(
      Array.from({ length: 8 }, async (_, stream) => {
        while (Date.now() < until) {
          if (stream % 2 === 0) await client.getManifest(image(server.host));
          else await buffer((await client.openBlob(image(server.host), digestOf(blob))).stream);
          answers += 1;
          await new Promise((resolve) => setTimeout(resolve, 20));
        }
      }),
    );
    expect(answers).toBeGreaterThan(200);
    expect(refused).toBeGreaterThan(0);
    // One a lifetime, of which the clock's whole seconds cut up to one off.
    expect(tokens.asked.length).toBeGreaterThanOrEqual(3);
    expect(tokens.asked.length).toBeLessThanOrEqual(7);
  }, 20_000);

  test('a token that another stream renewed but is old again is renewed once more', async () => {
    // Numbers are tokens; the registry takes only the newest, and the first renewal is old at once.
    let newest = 0;
    let manifests = 0;
    const server = await serve((request, response) => {
      if (request.url?.startsWith('/token')) {
        newest += 1;
        response.end(JSON.stringify({ token: String(newest) }));
        return;
      }
      const token = request.headers.authorization?.replace('Bearer ', '');
      if (token === String(newest)) {
        manifests += 1;
        ok(response);
        return;
      }
      const realm = `http://${request.headers.host}/token`;
      response.writeHead(401, { 'www-authenticate': `Bearer realm="${realm}"` }).end();
    });
    const { client } = open({ retryTimes: 0 });
    await client.getManifest(image(server.host));
    newest = 5;
    await Promise.all([client.getManifest(image(server.host)), client.getManifest(image(server.host))]);
    expect([newest, manifests]).toEqual([6, 3]);
  });
});
