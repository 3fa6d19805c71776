import type { ServerResponse } from 'node:http';
import * as net from 'node:net';
import { Writable } from 'node:stream';
import { buffer } from 'node:stream/consumers';
import { pipeline } from 'node:stream/promises';
import { afterEach, describe, expect, test } from 'vitest';
import { type BlobBody, createRegistryClient, type RegistryClientOptions } from '../../src/oci/client.ts';
import { type Digest, digestOf } from '../../src/oci/digest.ts';
import { MAX_MANIFEST_BYTES, MEDIA_TYPE } from '../../src/oci/manifest.ts';
import { type ImageReference, parseReference } from '../../src/oci/reference.ts';
import { type FakeHandler, type FakeServer, startFakeServer } from '../support/fake-server.ts';
import { madeBytes } from '../support/made-image.ts';
import { makeTestHost } from '../support/test-host.ts';

const manifest = Buffer.from('{"schemaVersion":2}');
const blob = madeBytes('blob', 3 * 1024 * 1024);
const digest = digestOf(blob);

const cleanups: (() => unknown)[] = [];
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
});

function open(options: Partial<RegistryClientOptions> = {}) {
  const host = makeTestHost();
  const credentials = { find: async () => undefined };
  const client = createRegistryClient({ credentials, insecure: true, ...options }, host);
  cleanups.push(client.close);
  return { client, host };
}

/** A registry whose `/v2/` works; the rest is the handler's. `attempt` counts from 1. */
async function registry(
  handler: (response: ServerResponse, attempt: number, request: Parameters<FakeHandler>[0]) => void,
): Promise<{ server: FakeServer; image: ImageReference }> {
  let attempt = 0;
  const server = await startFakeServer((request, response) => {
    if (request.url === '/v2/') {
      response.end('{}');
      return;
    }
    attempt += 1;
    handler(response, attempt, request);
  });
  cleanups.push(server.close);
  return { server, image: parseReference(`${server.host}/org/app:v1`) };
}

const sendManifest = (response: ServerResponse): void => {
  response.writeHead(200, { 'content-type': `${MEDIA_TYPE.ociManifest}; charset=utf-8` }).end(manifest);
};
const sendBlob = (response: ServerResponse): void => {
  response.writeHead(200, { 'content-length': blob.length }).end(blob);
};
const status =
  (code: number, headers: Record<string, string> = {}) =>
  (response: ServerResponse): void => {
    response.writeHead(code, headers).end('it says no');
  };

describe('opening is tried again', () => {
  test.each([
    ['503 twice', [status(503), status(503)], 2],
    ['429', [status(429)], 1],
    ['502 and a reset', [status(502), (response: ServerResponse) => response.destroy()], 2],
    ['a reset of the socket', [(response: ServerResponse) => response.socket?.resetAndDestroy()], 1],
    [
      'a manifest cut short',
      [
        (response: ServerResponse) => {
          response.writeHead(200, { 'content-length': 100 }).write('{');
          setTimeout(() => response.destroy(), 20);
        },
      ],
      1,
    ],
    [
      'a manifest of unknown length cut short',
      [
        (response: ServerResponse) => {
          response.writeHead(200).write('{');
          setTimeout(() => response.destroy(), 20);
        },
      ],
      1,
    ],
  ])('%s, then the manifest', async (_, faults, sleeps) => {
    const { image } = await registry((response, attempt) => (faults[attempt - 1] ?? sendManifest)(response));
    const { client, host } = open();
    expect(await client.getManifest(image)).toMatchObject({
      digest: digestOf(manifest),
      mediaType: MEDIA_TYPE.ociManifest,
    });
    expect(host.sleeps).toHaveLength(sleeps);
  });

  test('a blob, with the wait that is asked for', async () => {
    const { image } = await registry((response, attempt) =>
      attempt === 1 ? status(429, { 'retry-after': '17' })(response) : sendBlob(response),
    );
    const { client, host } = open();
    const body = await client.openBlob(image, digest);
    expect(digestOf(await buffer(body.stream))).toBe(digest);
    expect(host.sleeps).toEqual([17_000]);
  });

  test.each([
    [404, 1, 'MANIFEST_UNKNOWN'],
    [400, 1, 'REGISTRY_REFUSED'],
    [403, 1, 'REGISTRY_UNAUTHORIZED'],
    [501, 1, 'REGISTRY_REFUSED'],
    [503, 4, 'REGISTRY_REFUSED'],
    [429, 4, 'REGISTRY_REFUSED'],
  ])('HTTP %i for ever: %i attempts, %s', async (code, attempts, want) => {
    const { server, image } = await registry(status(code));
    await expect(open().client.getManifest(image)).rejects.toMatchObject({
      code: want,
      message: expect.stringContaining('it says no'),
    });
    expect(server.requests).toHaveLength(attempts);
  });

  test('a registry whose /v2/ is busy at first', async () => {
    let asked = 0;
    const server = await startFakeServer((request, response) => {
      asked += request.url === '/v2/' ? 1 : 0;
      if (request.url === '/v2/' && asked === 1) status(503)(response);
      else sendManifest(response);
    });
    cleanups.push(server.close);
    await open().client.getManifest(parseReference(`${server.host}/a:v1`));
    expect(asked).toBe(2);
  });
});

describe('registries that cannot be reached', () => {
  const image = (host: string): ImageReference => parseReference(`${host}/org/app:v1`);
  test('a name that is not found', async () => {
    await expect(
      open({ retryTimes: 0 }).client.getManifest(image('no.such.host.invalid')),
    ).rejects.toMatchObject({
      code: 'REGISTRY_UNREACHABLE',
      exitCode: 8,
      message: expect.stringMatching(/registry no\.such\.host\.invalid cannot be reached: .*name/),
    });
  });

  test('a port nobody listens on', async () => {
    const { server } = await registry(sendManifest);
    await server.close();
    const { client, host } = open();
    await expect(client.getManifest(image(server.host))).rejects.toMatchObject({
      code: 'REGISTRY_UNREACHABLE',
      message: expect.stringContaining('the connection was refused'),
      cause: { code: 'ECONNREFUSED' },
    });
    expect(host.sleeps).toEqual([]);
  });

  test('something that is no registry', async () => {
    const server = net.createServer((socket) => socket.end('SSH-2.0-OpenSSH_9\r\n'));
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    cleanups.push(() => server.close());
    const { port } = server.address() as net.AddressInfo;
    await expect(
      open({ retryTimes: 0 }).client.getManifest(image(`127.0.0.1:${port}`)),
    ).rejects.toMatchObject({ code: 'REGISTRY_UNREACHABLE' });
  });

  test('one that says nothing', async () => {
    const { server, image: at } = await registry(() => {});
    const { client, host } = open({ stallTimeoutMs: 100, retryTimes: 1 });
    for (const ask of [() => client.getManifest(at), () => client.openBlob(at, digest)])
      await expect(ask()).rejects.toMatchObject({
        code: 'REGISTRY_UNREACHABLE',
        message: expect.stringContaining('nothing arrived for too long'),
      });
    expect(server.requests).toHaveLength(4);
    expect(host.sleeps).toHaveLength(2);
  });
});

describe('manifests that are not what they claim', () => {
  const other = digestOf(Buffer.from('other'));
  test.each<[string, (at: ImageReference) => ImageReference, Record<string, string>]>([
    ['asked by digest', (at) => ({ ...at, digest: other }), {}],
    ['said by the registry', (at) => at, { 'docker-content-digest': other }],
  ])('another digest than %s', async (_, asked, headers) => {
    const { image } = await registry((response) => response.writeHead(200, headers).end(manifest));
    await expect(open().client.getManifest(asked(image))).rejects.toMatchObject({
      code: 'MANIFEST_DIGEST_MISMATCH',
      exitCode: 6,
      message: expect.stringMatching(new RegExp(`${digestOf(manifest)} .* want ${other}`)),
    });
  });

  test('more bytes than a manifest has', async () => {
    const { image } = await registry((response) => {
      const more = (): void => {
        while (!response.destroyed && response.write(Buffer.alloc(65_536, ' ')));
      };
      response.on('drain', more);
      more();
    });
    await expect(open().client.getManifest(image)).rejects.toMatchObject({
      code: 'REGISTRY_REFUSED',
      message: expect.stringContaining(`more than ${MAX_MANIFEST_BYTES} bytes`),
    });
  });
});

describe('blob bodies', () => {
  const fail = async (body: BlobBody): Promise<unknown> =>
    buffer(body.stream).then(
      () => 'no error',
      (error: unknown) => error,
    );
  const half = (response: ServerResponse, end: () => void): void => {
    response.write(blob.subarray(0, 1_000_000));
    setTimeout(end, 30);
  };

  test.each<[string, (response: ServerResponse) => void]>([
    [
      'a FIN',
      (response) => {
        response.writeHead(200, { 'content-length': blob.length });
        half(response, () => response.socket?.end());
      },
    ],
    [
      'an RST',
      (response) => {
        response.writeHead(200, { 'content-length': blob.length });
        half(response, () => response.socket?.resetAndDestroy());
      },
    ],
    ['a cut in chunked encoding', (response) => half(response, () => response.socket?.end())],
    [
      'silence',
      (response) => {
        response.writeHead(200, { 'content-length': blob.length });
        half(response, () => {});
      },
    ],
  ])('%s in the middle is BLOB_TRUNCATED', async (_, handler) => {
    const { image } = await registry(handler);
    const body = await open({ stallTimeoutMs: 300 }).client.openBlob(image, digest);
    expect(await fail(body)).toMatchObject({
      code: 'BLOB_TRUNCATED',
      exitCode: 5,
      message: expect.stringContaining(digest),
    });
  });

  test('a slow reader is not silence', async () => {
    const { image } = await registry(sendBlob);
    const { stream } = await open({ stallTimeoutMs: 100 }).client.openBlob(image, digest);
    const chunks: Buffer[] = [];
    const slow = new Writable({
      highWaterMark: 1,
      write: (chunk: Buffer, _, done) => {
        chunks.push(chunk);
        setTimeout(done, chunks.length < 3 ? 250 : 0);
      },
    });
    await pipeline(stream, slow);
    expect(digestOf(Buffer.concat(chunks))).toBe(digest);
  });

  test('a body nobody reads yet is not silence', async () => {
    const { image } = await registry(sendBlob);
    const { stream } = await open({ stallTimeoutMs: 60 }).client.openBlob(image, digest);
    await new Promise((resolve) => setTimeout(resolve, 300));
    expect(digestOf(await buffer(stream))).toBe(digest);
  });

  test('a body cut before its reader comes ends the stream for that reader, not the process', async () => {
    const { image } = await registry((response) => {
      response.writeHead(200, { 'content-length': blob.length });
      response.write('few', () => response.socket?.end());
    });
    const { client } = open();
    const body = await client.openBlob(image, digest);
    await new Promise((resolve) => setTimeout(resolve, 200));
    expect(await fail(body)).toMatchObject({ code: 'BLOB_TRUNCATED' });
    const { stream } = await client.openBlob(image, digest);
    await new Promise((resolve) => setTimeout(resolve, 200));
    await expect(pipeline(stream, new Writable({ write: (_c, _e, done) => done() }))).rejects.toMatchObject({
      code: 'BLOB_TRUNCATED',
    });
  });

  test('a server that closes its socket while the reader is slow ends the stream, not the process', async () => {
    const { image } = await registry((response) => {
      response.writeHead(200, { 'content-length': blob.length });
      response.write(blob.subarray(0, 2_500_000));
      setTimeout(() => response.socket?.resetAndDestroy(), 50);
    });
    const { client } = open();
    const failures = await Promise.all(
      Array.from({ length: 6 }, async () => {
        const { stream } = await client.openBlob(image, digest);
        const slow = new Writable({
          highWaterMark: 1,
          write: (_chunk, _encoding, done) => void setTimeout(done, 20),
        });
        return pipeline(stream, slow).catch((error: unknown) => error);
      }),
    );
    for (const error of failures) expect(error).toMatchObject({ code: 'BLOB_TRUNCATED' });
  });

  test.each<[string, number, number, Record<string, string>, number]>([
    ['a 200 for a range is the whole blob', 100, 200, {}, 200],
    ['a 206 from the right place', 100, 206, { 'content-range': `bytes 100-${blob.length - 1}/*` }, 206],
    ['a 206 from another place', 100, 206, { 'content-range': `bytes 0-5/${blob.length}` }, 0],
    ['a 206 that does not say from where', 100, 206, {}, 0],
    ['a 206 nobody asked for', 0, 206, { 'content-range': `bytes 0-5/${blob.length}` }, 0],
    ['a compressed body', 0, 200, { 'content-encoding': 'gzip' }, 0],
    ['a 204', 0, 204, {}, 0],
  ])('%s', async (_, offset, code, headers, want) => {
    const { server, image } = await registry((response) => response.writeHead(code, headers).end('bytes'));
    const opening = open().client.openBlob(image, digest, { offset });
    if (want === 0) await expect(opening).rejects.toMatchObject({ code: 'REGISTRY_REFUSED' });
    else expect((await opening).status).toBe(want);
    expect(server.requests[0]?.range).toBe(offset === 0 ? undefined : 'bytes=100-');
  });

  test('an abort ends the waiting, the opening and the body with its reason', async () => {
    const reason = new Error('stopped by the technician');
    const { image } = await registry((response, attempt) => {
      if (attempt === 1) half(response, () => {});
    });
    const { client } = open();
    const [first, second] = [new AbortController(), new AbortController()];
    const body = await client.openBlob(image, digest, { signal: first.signal });
    const failing = fail(body);
    first.abort(reason);
    expect(await failing).toBe(reason);
    const opening = client.openBlob(image, digest, { signal: second.signal });
    setTimeout(() => second.abort(reason), 50);
    await expect(opening).rejects.toBe(reason);
    await expect(client.getManifest(image, { signal: AbortSignal.abort(reason) })).rejects.toBe(reason);
  });

  test('closing the client ends what is under way', async () => {
    const { image } = await registry((response, attempt) => {
      if (attempt === 1) half(response, () => {});
    });
    const { client } = open();
    const body = await client.openBlob(image, digest);
    const failing = fail(body);
    const waiting = client.getManifest(image).catch((error: unknown) => error);
    await new Promise((resolve) => setTimeout(resolve, 50));
    client.close();
    expect(await failing).toMatchObject({ name: 'AbortError' });
    expect(await waiting).toMatchObject({ name: 'AbortError' });
  });

  test('a reader that leaves gives the connection up', async () => {
    let closed = false;
    const { image } = await registry((response) => {
      response.on('close', () => {
        closed = true;
      });
      response.writeHead(200, { 'content-length': blob.length });
      half(response, () => {});
    });
    const { stream } = await open().client.openBlob(image, digest);
    stream.destroy();
    await new Promise((resolve) => setTimeout(resolve, 200));
    expect(closed).toBe(true);
  });

  test('an empty blob', async () => {
    const { image } = await registry((response) => response.writeHead(200, { 'content-length': 0 }).end());
    const none: Digest = digestOf(Buffer.alloc(0));
    const body = await open().client.openBlob(image, none);
    expect(body.sizeBytes).toBe(0);
    expect(await buffer(body.stream)).toHaveLength(0);
  });
});

describe('tags', () => {
  test('follows the pages, drops what is no tag, ends when a page repeats itself', async () => {
    const pages: Record<string, [string[], string?]> = {
      '': [['a', 'b'], '</v2/org/app/tags/list?last=b&n=2>; rel="next"'],
      b: [['c', '../x', 'a'], '<http://elsewhere.invalid/v2/?last=c>; rel=next'],
      c: [['d'], '</v2/org/app/tags/list?last=c>; rel="next"'],
    };
    const { server, image } = await registry((response, _, request) => {
      const last = new URL(request.url ?? '', 'http://x').searchParams.get('last') ?? '';
      const [tags, link] = pages[last] ?? [[]];
      response.writeHead(200, link === undefined ? {} : { link }).end(JSON.stringify({ tags }));
    });
    expect(await open().client.listTags(image)).toEqual(['a', 'b', 'c', 'd']);
    expect(server.requests).toHaveLength(3);
  });

  test.each([
    ['no list', '{"tags":"a"}', 'REGISTRY_REFUSED'],
    ['null', '{"tags":null}', undefined],
  ])('%s', async (_, body, code) => {
    const { image } = await registry((response) => response.end(body));
    const listing = open().client.listTags(image);
    if (code === undefined) expect(await listing).toEqual([]);
    else await expect(listing).rejects.toMatchObject({ code });
  });
});

test('a certificate authority that is none is refused at once', () => {
  expect(() => open({ certificateAuthorities: ['not a certificate'] })).toThrow(
    expect.objectContaining({ code: 'USAGE_INVALID' }),
  );
});
