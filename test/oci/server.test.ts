import { execFile } from 'node:child_process';
import { mkdir, mkdtemp, readFile, rm, stat, truncate, writeFile } from 'node:fs/promises';
import * as http from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { buffer, text } from 'node:stream/consumers';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { createRegistryClient } from '../../src/oci/client.ts';
import { type Digest, digestHex, digestOf } from '../../src/oci/digest.ts';
import { parseReference } from '../../src/oci/reference.ts';
import { type RegistryServer, type ServedContent, startRegistryServer } from '../../src/oci/server.ts';
import type { ServerAccess } from '../../src/oci/server-access.ts';
import { makeCertificate } from '../support/made-certificate.ts';
import {
  blobsOf,
  type MadeImage,
  type MadeList,
  madeBytes,
  makeImage,
  makeManifestList,
} from '../support/made-image.ts';
import { makeTestHost } from '../support/test-host.ts';
import { haveTools } from '../support/tools.ts';

const run = promisify(execFile);
const noSkopeo = haveTools('skopeo') ? '' : ' (skipped: needs skopeo)';
const noOpenssl = haveTools('openssl') ? '' : ' (skipped: needs openssl)';
const NAME = 'quay.io/org/app';

let folder: string;
let image: MadeImage;
let list: MadeList;
let content: ServedContent;
let server: RegistryServer;
const big = madeBytes('big', 24 * 1024 * 1024);
const unreadable = digestOf(Buffer.from('unreadable'));
const cut = Buffer.from('a blob that was cut on disk');

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'edgefab-served-'));
  image = await makeImage({ seed: 'served', format: 'docker', layers: [{ seed: 'a', sizeBytes: 400_000 }] });
  list = makeManifestList([image], 'docker');
  const put = (bytes: Buffer): Promise<void> => writeFile(join(folder, digestHex(digestOf(bytes))), bytes);
  await Promise.all([image.manifest, list.manifest, big, cut, Buffer.alloc(0)].map(put));
  await Promise.all(blobsOf(image).map(({ bytes }) => put(bytes)));
  await truncate(join(folder, digestHex(digestOf(cut))), 5);
  await mkdir(join(folder, digestHex(unreadable)));
  const located = async (digest: Digest) => {
    const path = join(folder, digestHex(digest));
    const found = await stat(path).catch(() => undefined);
    if (found === undefined) return undefined;
    return { path, sizeBytes: digest === digestOf(cut) ? cut.length : found.size };
  };
  content = {
    blob: located,
    resolve: async (repository, reference) => {
      const made = [list, image].find(
        ({ digest }) => digest === (reference === 'v1' ? list.digest : reference),
      );
      if (repository !== NAME || made === undefined) return undefined;
      const found = await located(made.digest);
      return found && { ...found, digest: made.digest, mediaType: made.mediaType };
    },
  };
  server = await startRegistryServer({ content });
});
afterAll(async () => {
  await server?.close();
  await rm(folder, { recursive: true, force: true });
});

interface RawAnswer {
  readonly status: number | undefined;
  readonly headers: http.IncomingHttpHeaders;
  readonly body: string;
}

/** Sends the path as it is written: URL parsers would tidy it. */
function raw(path: string, options: http.RequestOptions = {}, at = server): Promise<RawAnswer> {
  return new Promise((resolve, reject) => {
    const request = http.request({ host: '127.0.0.1', port: at.port, path, ...options }, (response) => {
      text(response).then((body) => {
        resolve({ status: response.statusCode, headers: response.headers, body });
      }, reject);
    });
    request.on('error', reject).end();
  });
}

describe('paths and methods', () => {
  const digest = digestOf(cut);
  test.each([
    ['the base', 'GET', '/v2/', 200, undefined],
    ['the base, no slash', 'GET', '/v2', 200, undefined],
    ['a manifest by tag', 'GET', `/v2/${NAME}/manifests/v1`, 200, undefined],
    ['HEAD of a manifest', 'HEAD', `/v2/${NAME}/manifests/v1`, 200, undefined],
    ['a query is ignored', 'GET', `/v2/${NAME}/manifests/v1?ns=quay.io`, 200, undefined],
    ['another tag', 'GET', `/v2/${NAME}/manifests/v2`, 404, 'MANIFEST_UNKNOWN'],
    ['another repository', 'GET', '/v2/quay.io/org/other/manifests/v1', 404, 'MANIFEST_UNKNOWN'],
    ['an unknown blob', 'GET', `/v2/${NAME}/blobs/sha256:${'0'.repeat(64)}`, 404, 'BLOB_UNKNOWN'],
    ['climbing in the name', 'GET', `/v2/../../etc/blobs/${digest}`, 400, 'NAME_INVALID'],
    ['climbing, escaped', 'GET', `/v2/a%2f..%2f../blobs/${digest}`, 400, 'NAME_INVALID'],
    ['climbing, escaped twice', 'GET', `/v2/a%252f..%252f/blobs/${digest}`, 400, 'NAME_INVALID'],
    ['a zero byte in the name', 'GET', `/v2/a%00b/blobs/${digest}`, 400, 'NAME_INVALID'],
    ['upper case in the name', 'GET', `/v2/Org/blobs/${digest}`, 400, 'NAME_INVALID'],
    ['a tag where a digest must be', 'GET', `/v2/${NAME}/blobs/v1`, 400, 'DIGEST_INVALID'],
    ['climbing in the tag', 'GET', `/v2/${NAME}/manifests/..`, 400, 'DIGEST_INVALID'],
    ['a bad escape', 'GET', `/v2/%ff/blobs/${digest}`, 404, 'UNSUPPORTED'],
    ['the catalog', 'GET', '/v2/_catalog', 404, 'UNSUPPORTED'],
    ['the root', 'GET', '/', 404, 'UNSUPPORTED'],
    ['an upload', 'POST', `/v2/${NAME}/blobs/uploads/`, 405, 'UNSUPPORTED'],
    ['a manifest put', 'PUT', `/v2/${NAME}/manifests/v1`, 405, 'UNSUPPORTED'],
    ['a delete', 'DELETE', `/v2/${NAME}/manifests/v1`, 405, 'UNSUPPORTED'],
    ['a file that is shorter than it was', 'GET', `/v2/${NAME}/blobs/${digest}`, 500, 'UNKNOWN'],
    ['a folder in place of a file', 'GET', `/v2/${NAME}/blobs/${unreadable}`, 500, 'UNKNOWN'],
  ])('%s: %s %s is %i', async (_, method, path, status, code) => {
    const answer = await raw(path, { method });
    expect(answer.status).toBe(status);
    if (code !== undefined) expect(JSON.parse(answer.body).errors[0].code).toBe(code);
    expect(answer.body).not.toContain(folder);
  });

  test('names the digest, type and size', async () => {
    const { headers } = await raw(`/v2/${NAME}/manifests/v1`, { method: 'HEAD' });
    expect(headers).toMatchObject({
      'docker-content-digest': list.digest,
      'content-type': list.mediaType,
      'content-length': String(list.manifest.length),
      etag: `"${list.digest}"`,
    });
    const known = await raw(`/v2/${NAME}/manifests/v1`, { headers: { 'if-none-match': `"${list.digest}"` } });
    expect(known).toMatchObject({ status: 304, body: '' });
  });
});

describe('ranges', () => {
  const size = big.length;
  test.each([
    ['none', undefined, 200, 0, size],
    ['the first bytes', 'bytes=0-9', 206, 0, 10],
    ['the rest', `bytes=${size - 7}-`, 206, size - 7, size],
    ['the last bytes', 'bytes=-5', 206, size - 5, size],
    ['more than there is at the end', `bytes=-${size * 2}`, 206, 0, size],
    ['an end beyond the end', `bytes=${size - 1}-${size * 2}`, 206, size - 1, size],
    ['several ranges', 'bytes=0-1,4-5', 200, 0, size],
    ['another unit', 'lines=0-1', 200, 0, size],
    ['an end before the start', 'bytes=9-3', 200, 0, size],
    ['a start at the end', `bytes=${size}-`, 416, 0, 0],
    ['no bytes', 'bytes=-0', 416, 0, 0],
  ])('%s', async (_, range, status, from, to) => {
    const answer = await fetch(`${server.url}/v2/${NAME}/blobs/${digestOf(big)}`, {
      headers: range === undefined ? {} : { range },
    });
    expect(answer.status).toBe(status);
    const bytes = Buffer.from(await answer.arrayBuffer());
    if (status === 416) expect(answer.headers.get('content-range')).toBe(`bytes */${size}`);
    else expect(bytes.equals(big.subarray(from, to))).toBe(true);
    if (status === 206) expect(answer.headers.get('content-range')).toBe(`bytes ${from}-${to - 1}/${size}`);
  });

  test('an empty blob', async () => {
    const path = `/v2/${NAME}/blobs/${digestOf(Buffer.alloc(0))}`;
    expect(await raw(path)).toMatchObject({ status: 200, body: '', headers: { 'content-length': '0' } });
    expect((await raw(path, { headers: { range: 'bytes=0-' } })).status).toBe(416);
  });

  test('waits for a slow reader instead of reading the file into memory', async () => {
    const before = process.memoryUsage().rss;
    const path = `/v2/${NAME}/blobs/${digestOf(big)}`;
    const stalledReaders = await Promise.all(
      Array.from(
        { length: 12 },
        () =>
          new Promise<http.IncomingMessage>((resolve) => {
            http.get({ host: '127.0.0.1', port: server.port, path, agent: false }, (response) => {
              response.pause();
              resolve(response);
            });
          }),
      ),
    );
    await new Promise((resolve) => setTimeout(resolve, 300));
    // 12 × 24 MiB are 288 MiB; socket buffers take a few MiB each.
    expect(process.memoryUsage().rss - before).toBeLessThan(120 * 1024 * 1024);
    for (const response of stalledReaders) response.destroy();
  });
});

describe('access', () => {
  const basic: ServerAccess = { kind: 'basic', username: 'user', password: 'pass:word' };
  const bearer: ServerAccess = {
    kind: 'bearer',
    realm: 'https://auth.example.com/token',
    service: 'svc',
    accepts: (token, repository) => token === 'good' && repository !== 'quay.io/org/secret',
  };
  const encoded = Buffer.from('user:pass:word').toString('base64');
  test.each([
    ['basic, none', basic, undefined, 401, 'Basic realm="edgefab"'],
    ['basic, right', basic, `Basic ${encoded}`, 200, undefined],
    ['basic, lower-case scheme', basic, `basic ${encoded}`, 200, undefined],
    ['basic, wrong', basic, 'Basic dXNlcjp4', 401, 'Basic realm="edgefab"'],
    ['bearer, right', bearer, 'Bearer good', 200, undefined],
    [
      'bearer, wrong',
      bearer,
      'Bearer bad',
      401,
      `Bearer realm="https://auth.example.com/token",service="svc",scope="repository:${NAME}:pull"`,
    ],
  ])('%s', async (_, auth, authorization, status, challenge) => {
    const guarded = await startRegistryServer({ content, auth });
    try {
      const headers = authorization === undefined ? {} : { authorization };
      const answer = await raw(`/v2/${NAME}/manifests/v1`, { headers }, guarded);
      expect(answer.status).toBe(status);
      expect(answer.headers['www-authenticate']).toBe(challenge);
    } finally {
      await guarded.close();
    }
  });
});

test.skipIf(noOpenssl !== '')(`our client reads our server over TLS${noOpenssl}`, async () => {
  const made = makeCertificate();
  const secure = await startRegistryServer({ content, tls: made });
  const credentials = { find: async () => undefined };
  const client = createRegistryClient(
    { credentials, certificateAuthorities: [made.certificate] },
    makeTestHost(),
  );
  const reference = parseReference(`${secure.host}/${NAME}:v1`);
  expect((await client.getManifest(reference)).digest).toBe(list.digest);
  const body = await client.openBlob(reference, digestOf(big), { offset: 1_000_000 });
  expect((await buffer(body.stream)).equals(big.subarray(1_000_000))).toBe(true);
  client.close();
  await secure.close();
});

describe.skipIf(noSkopeo !== '')(`skopeo reads our server${noSkopeo}`, () => {
  test('inspects and copies all of a list, with its digests', async () => {
    const source = `docker://${server.host}/${NAME}:v1`;
    const { stdout } = await run('skopeo', ['inspect', '--tls-verify=false', '--raw', source]);
    expect(stdout).toBe(list.manifest.toString());
    const target = join(folder, 'copied');
    const flags = ['--insecure-policy', 'copy', '--all', '--preserve-digests', '--src-tls-verify=false'];
    await run('skopeo', [...flags, source, `dir:${target}`]);
    expect(digestOf(await readFile(join(target, 'manifest.json')))).toBe(list.digest);
    for (const { digest } of blobsOf(image))
      expect(digestOf(await readFile(join(target, digestHex(digest))))).toBe(digest);
  });
});
