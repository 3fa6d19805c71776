import type { IncomingMessage, ServerResponse } from 'node:http';
import { inspect } from 'node:util';
import { afterEach, describe, expect, test } from 'vitest';
import { createRegistryClient, type RegistryClientOptions } from '../../src/oci/client.ts';
import type { Credential } from '../../src/oci/credentials.ts';
import { digestOf } from '../../src/oci/digest.ts';
import { MEDIA_TYPE } from '../../src/oci/manifest.ts';
import { parseReference } from '../../src/oci/reference.ts';
import { type FakeHandler, type FakeServer, startFakeServer } from '../support/fake-server.ts';
import { makeCertificate } from '../support/made-certificate.ts';
import { makeTestHost } from '../support/test-host.ts';
import { haveTools } from '../support/tools.ts';

const noOpenssl = haveTools('openssl') ? '' : ' (skipped: needs openssl)';
const PASSWORD = 'correct-horse-battery';
const user: Credential = { username: 'user', password: PASSWORD, from: '/home/u/auth.json' };
const BASIC = `Basic ${Buffer.from(`user:${PASSWORD}`).toString('base64')}`;
const manifest = Buffer.from('{"schemaVersion":2}');
const blob = Buffer.from('blob bytes');

const cleanups: (() => unknown)[] = [];
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
});

async function serve(...parameters: Parameters<typeof startFakeServer>): Promise<FakeServer> {
  const server = await startFakeServer(...parameters);
  cleanups.push(server.close);
  return server;
}

function open(credential: Credential | undefined, options: Partial<RegistryClientOptions> = {}) {
  const host = makeTestHost();
  const credentials = { find: async () => credential };
  const client = createRegistryClient({ credentials, insecure: true, retryTimes: 0, ...options }, host);
  cleanups.push(client.close);
  return { client, host };
}

const ok = (response: ServerResponse, body: Buffer = manifest): void => {
  response
    .writeHead(200, { 'content-type': MEDIA_TYPE.ociManifest, 'content-length': body.length })
    .end(body);
};
const send = (response: ServerResponse, status: number, headers: Record<string, string>, body = ''): void => {
  response.writeHead(status, headers).end(body);
};
const challenge = (response: ServerResponse, value: string): void =>
  send(response, 401, { 'www-authenticate': value });
const image = (server: FakeServer) => parseReference(`${server.host}/org/app:v1`);

/** Guards everything with Basic; `then` answers what is let through. */
const guarded =
  (then: FakeHandler): FakeHandler =>
  (request, response) =>
    request.headers.authorization === BASIC || (request.url ?? '').startsWith('/open/')
      ? then(request, response)
      : challenge(response, 'Basic realm="r"');

describe('redirects and the Authorization', () => {
  test.each(['manifest', 'blob'] as const)('%s: stays on the same origin', async (kind) => {
    const server = await serve(
      guarded((request, response) =>
        request.url?.startsWith('/v2/org') ? send(response, 307, { location: '/open/x' }) : ok(response),
      ),
    );
    const { client } = open(user);
    if (kind === 'manifest') await client.getManifest(image(server));
    else (await client.openBlob(image(server), digestOf(blob))).stream.destroy();
    expect(server.requests.map(({ authorization }) => authorization)).toEqual([BASIC, BASIC]);
  });

  test.each(['manifest', 'blob'] as const)('%s: never crosses origins, nor comes back', async (kind) => {
    const elsewhere: FakeServer = await serve((_, response) =>
      send(response, 302, { location: `${server.url}/open/back` }),
    );
    const server = await serve(
      guarded((request, response) =>
        request.url?.startsWith('/v2/org')
          ? send(response, 307, { location: `${elsewhere.url}/x?signature=s` })
          : ok(response),
      ),
    );
    const { client } = open(user);
    if (kind === 'manifest') await client.getManifest(image(server));
    else (await client.openBlob(image(server), digestOf(blob))).stream.destroy();
    expect(elsewhere.requests).toMatchObject([{ authorization: undefined }]);
    expect(server.requests).toMatchObject([
      { authorization: BASIC },
      { path: '/open/back', authorization: undefined },
    ]);
  });

  test.each([
    ['/v2/loop', /in a loop/],
    ['/more', /more than 5 times/],
    ['', /without saying where/],
    ['file:///etc/passwd', /to the scheme file:/],
    ['http://user:pw@127.0.0.1/', /a URL with a password/],
    ['http://[/', /no URL/],
  ])('refuses a redirect to "%s"', async (location, message) => {
    let count = 0;
    const server = await serve((request, response) => {
      if (request.url === '/v2/') return ok(response);
      count += 1;
      send(response, 301, { location: location === '/more' ? `/more${count}` : location });
    });
    const failing = open(user).client.openBlob(image(server), digestOf(blob));
    await expect(failing).rejects.toMatchObject({
      code: 'REGISTRY_REFUSED',
      message: expect.stringMatching(message),
    });
  });

  test('follows five redirects', async () => {
    const server = await serve((request, response) => {
      const step = Number(/\/step\/(\d+)$/.exec(request.url ?? '')?.[1] ?? 0);
      if (request.url === '/v2/' || step === 5) ok(response, blob);
      else send(response, 308, { location: `/step/${step + 1}` });
    });
    const at = parseReference(`${server.host}/org/app`);
    const zero = await open(user).client.openBlob(at, digestOf(Buffer.from('x')));
    expect(zero.sizeBytes).toBe(blob.length);
    zero.stream.destroy();
  });

  test.skipIf(noOpenssl !== '')(`refuses to go from https to http${noOpenssl}`, async () => {
    const plain = await serve((_, response) => ok(response));
    const server = await serve((request, response) => {
      if (request.url === '/v2/') ok(response);
      else send(response, 307, { location: `${plain.url}/x` });
    }, makeCertificate());
    await expect(open(user).client.openBlob(image(server), digestOf(blob))).rejects.toMatchObject({
      code: 'REGISTRY_REFUSED',
      message: expect.stringContaining('from https to plain http'),
    });
    expect(plain.requests).toEqual([]);
  });

  test('a content server’s 401 and 403 say nothing about our credentials', async () => {
    for (const status of [401, 403]) {
      const cdn = await serve((_, response) =>
        send(response, status, { 'www-authenticate': 'Basic realm="x"' }),
      );
      const server = await serve((request, response) => {
        if (request.url === '/v2/') challenge(response, 'Basic realm="r"');
        else send(response, 307, { location: `${cdn.url}/x?X-Amz-Signature=topsecret` });
      });
      const error = await open(user)
        .client.openBlob(image(server), digestOf(blob))
        .catch((caught: unknown) => caught);
      expect(error).toMatchObject({ code: 'REGISTRY_REFUSED' });
      expect(inspect(error, { depth: Number.POSITIVE_INFINITY })).not.toContain('topsecret');
      expect(cdn.requests).toMatchObject([{ authorization: undefined }]);
    }
  });
});

/** A registry with token access, whose token server is `tokens` (or the registry itself). */
function tokenRegistry(
  valid: (token: string) => boolean,
  answerToken: FakeHandler,
  scheme?: string,
): FakeHandler {
  return (request, response) => {
    if (request.url?.startsWith('/token')) return answerToken(request, response);
    const token = request.headers.authorization?.replace('Bearer ', '') ?? '';
    if (token !== '' && valid(token)) return ok(response);
    const realm = `http://${request.headers.host}/token?account=a`;
    challenge(response, scheme ?? `Bearer realm="${realm}",service="the, service"`);
  };
}
const giveToken =
  (next: () => string, more: object = {}): FakeHandler =>
  (_, response) =>
    send(response, 200, {}, JSON.stringify({ token: next(), ...more }));
const tokensAsked = (server: FakeServer) => server.requests.filter(({ path }) => path.startsWith('/token'));

describe('tokens', () => {
  test('asks with service, scope and the realm’s own query, once for many streams', async () => {
    const server = await serve(
      tokenRegistry(
        (token) => token === 'one',
        giveToken(() => 'one'),
      ),
    );
    const { client } = open(user);
    await Promise.all(Array.from({ length: 8 }, () => client.getManifest(image(server))));
    const asked = tokensAsked(server);
    expect(asked).toMatchObject([{ method: 'GET', authorization: BASIC }]);
    const query = new URL(asked[0]?.path ?? '', server.url).searchParams;
    expect(Object.fromEntries(query)).toEqual({
      service: 'the, service',
      scope: 'repository:org/app:pull',
      account: 'a',
    });
  });

  test('asks without credentials where there are none', async () => {
    const server = await serve(
      tokenRegistry(
        () => true,
        giveToken(() => 'anonymous'),
      ),
    );
    await open(undefined).client.getManifest(image(server));
    expect(tokensAsked(server)).toMatchObject([{ authorization: undefined }]);
  });

  test('renews a token the registry no longer takes, once', async () => {
    let serial = 0;
    let oldest = 1;
    const valid = (token: string): boolean => Number(token) >= oldest;
    const server = await serve(
      tokenRegistry(
        valid,
        giveToken(() => {
          serial += 1;
          return String(serial);
        }),
      ),
    );
    const { client } = open(user);
    await client.getManifest(image(server));
    oldest = 2;
    await Promise.all(Array.from({ length: 4 }, () => client.getManifest(image(server))));
    expect(tokensAsked(server)).toHaveLength(2);
    oldest = 1000;
    server.requests.length = 0;
    await expect(client.getManifest(image(server))).rejects.toMatchObject({ code: 'REGISTRY_UNAUTHORIZED' });
    expect(server.requests.map(({ path }) => path.split('?')[0])).toEqual([
      '/v2/org/app/manifests/v1',
      '/token',
      '/v2/org/app/manifests/v1',
    ]);
  });

  test.each([
    [{}, 60],
    [{ expires_in: 300 }, 300],
    [{ expires_in: 5 }, 60],
  ])('keeps a token with %j for its time', async (more, seconds) => {
    const server = await serve(
      tokenRegistry(
        () => true,
        giveToken(() => 'x', more),
      ),
    );
    const { client, host } = open(user);
    await client.getManifest(image(server));
    host.advance((seconds - 11) * 1000);
    await client.getManifest(image(server));
    expect(tokensAsked(server)).toHaveLength(1);
    host.advance(2000);
    await client.getManifest(image(server));
    expect(tokensAsked(server)).toHaveLength(2);
  });

  test.each([
    ['repository:lib/app:pull', 'repository:lib/app:pull'],
    ['repository:org/app:pull,push', 'repository:org/app:pull'],
    ['registry:catalog:*', 'repository:org/app:pull'],
    ['repository:org/app:pull repository:x/y:delete', 'repository:org/app:pull'],
  ])('a challenge with scope %s is asked as %s', async (said, want) => {
    const server = await serve((request, response) => {
      if (request.url?.startsWith('/token')) return giveToken(() => 'x')(request, response);
      if (request.url === '/v2/' || request.headers.authorization !== undefined) return ok(response);
      challenge(response, `Bearer realm="http://${request.headers.host}/token",scope="${said}"`);
    });
    await open(user).client.getManifest(image(server));
    expect(new URL(tokensAsked(server)[0]?.path ?? '', server.url).searchParams.get('scope')).toBe(want);
  });

  test.each([
    ['no JSON', '<html>', /something unexpected/],
    ['no token', '{}', /no usable token/],
    ['a token with a line feed', '{"token":"a\\nb: c"}', /no usable token/],
    ['a number', '{"token":5}', /token/],
    ['a flood', `{"token":"${'x'.repeat(300_000)}"}`, /more than 262144 bytes/],
  ])('refuses a token answer with %s', async (_, body, message) => {
    const server = await serve(
      tokenRegistry(
        () => true,
        (__, response) => send(response, 200, {}, body),
      ),
    );
    await expect(open(user).client.getManifest(image(server))).rejects.toMatchObject({
      code: 'REGISTRY_REFUSED',
      message: expect.stringMatching(message),
    });
  });

  test('tries again while the token server is busy, together', async () => {
    let busy = 2;
    const server = await serve(
      tokenRegistry(
        () => true,
        (request, response) => {
          busy -= 1;
          if (busy >= 0) send(response, 503, { 'retry-after': '9' }, 'busy');
          else giveToken(() => 'x')(request, response);
        },
      ),
    );
    const { client, host } = open(user, { retryTimes: 2 });
    await Promise.all([client.getManifest(image(server)), client.getManifest(image(server))]);
    expect(tokensAsked(server)).toHaveLength(3);
    expect(host.sleeps).toEqual([9000, 9000, 9000, 9000]);
  });

  test.skipIf(noOpenssl !== '').each([
    ['http://auth.example.com/token', /credentials go over https only/],
    ['ftp://auth.example.com/', /https only/],
    ['https://user:pw@auth.example.com/', /password/],
    ['token', /not a URL/],
  ])(`from a TLS registry: refuses the realm %s${noOpenssl}`, async (realm, message) => {
    const made = makeCertificate();
    const server = await serve((_, response) => challenge(response, `Bearer realm="${realm}"`), made);
    const { client } = open(user, { insecure: false, certificateAuthorities: [made.certificate] });
    await expect(client.getManifest(image(server))).rejects.toMatchObject({
      code: 'REGISTRY_REFUSED',
      message: expect.stringMatching(message),
    });
  });
});

describe('refusals', () => {
  test.each([
    ['Basic realm="r"', user, 1, /the credentials from \/home\/u\/auth.json were sent/],
    ['Basic realm="r"', undefined, 1, /no credentials were sent/],
    ['Negotiate', user, 0, /wants the negotiate scheme/],
    ['', user, 1, /were sent/],
  ])('401 with the challenge "%s"', async (value, credential, requests, message) => {
    const server = await serve((_, response) => challenge(response, value));
    await expect(open(credential, { retryTimes: 3 }).client.getManifest(image(server))).rejects.toMatchObject(
      {
        code: 'REGISTRY_UNAUTHORIZED',
        exitCode: 8,
        message: expect.stringMatching(message),
      },
    );
    expect(server.requests).toHaveLength(requests);
  });

  const echo = (request: IncomingMessage, response: ServerResponse, status: number): void => {
    const said = `you sent ${request.headers.authorization} and ${PASSWORD}\u001b[2J${'!'.repeat(500)}`;
    send(response, status, {}, JSON.stringify({ errors: [{ code: 'DENIED', message: said }] }));
  };
  test.each([400, 401, 403, 404, 418, 500])(
    'never shows a secret, even one echoed (HTTP %i)',
    async (status) => {
      const byBasic = await serve((request, response) =>
        request.url === '/v2/' ? challenge(response, 'Basic realm="r"') : echo(request, response, status),
      );
      const tokens = tokenRegistry(
        () => true,
        giveToken(() => 'the-bearer-token'),
      );
      const byToken = await serve((request, response) =>
        request.headers.authorization?.startsWith('Bearer')
          ? echo(request, response, status)
          : tokens(request, response),
      );
      const atToken = await serve(
        tokenRegistry(
          () => true,
          (request, response) => echo(request, response, status),
        ),
      );
      const cut = await serve((request, response) => {
        if (request.url === '/v2/') challenge(response, 'Basic realm="r"');
        else response.destroy();
      });
      for (const server of [byBasic, byToken, atToken, cut]) {
        const { client } = open(user);
        for (const ask of [
          () => client.getManifest(image(server)),
          () => client.openBlob(image(server), digestOf(blob)),
        ]) {
          const error = await ask().catch((caught: unknown) => caught);
          expect(error).toMatchObject({ name: 'EdgefabError', exitCode: 8 });
          const shown = inspect(error, { depth: Number.POSITIVE_INFINITY, showHidden: true });
          for (const secret of [PASSWORD, BASIC.slice(6), 'the-bearer-token', '\u001b'])
            expect(shown).not.toContain(secret);
        }
      }
    },
  );
});
