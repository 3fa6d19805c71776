import { type FileHandle, open } from 'node:fs/promises';
import * as http from 'node:http';
import * as https from 'node:https';
import type { AddressInfo } from 'node:net';
import { pipeline } from 'node:stream/promises';
import { type Digest, isDigest } from './digest.ts';
import { isRepositoryPath, isTag } from './reference.ts';
import { parseRange } from './served-range.ts';
import { challengeFor, type ServerAccess } from './server-access.ts';

export interface ServedManifest {
  readonly digest: Digest;
  readonly mediaType: string;
  readonly path: string;
  readonly sizeBytes: number;
}

/** What a server serves; a store's view satisfies it. Both are asked anew for each request. */
export interface ServedContent {
  /** `reference` is a tag or a digest. */
  resolve(repository: string, reference: string): Promise<ServedManifest | undefined>;
  blob(digest: Digest): Promise<{ readonly path: string; readonly sizeBytes: number } | undefined>;
}

export interface RegistryServerOptions {
  readonly content: ServedContent;
  readonly auth?: ServerAccess;
  /** PEM texts. */
  readonly tls?: { readonly certificate: string; readonly key: string };
}

export interface RegistryServer {
  readonly url: string;
  /** 127.0.0.1:PORT */
  readonly host: string;
  readonly port: number;
  close(): Promise<void>;
}

interface Served {
  readonly digest: Digest;
  readonly mediaType: string;
  readonly path: string;
  readonly sizeBytes: number;
}

type Route =
  | { readonly kind: 'base' }
  | { readonly kind: 'manifests' | 'blobs'; readonly repository: string; readonly reference: string };

interface Refusal {
  readonly status: number;
  /** distribution-spec, "Error Codes". */
  readonly code: string;
  readonly message: string;
  readonly headers?: http.OutgoingHttpHeaders;
}

const NOT_FOUND: Refusal = { status: 404, code: 'UNSUPPORTED', message: 'there is nothing at this path' };

function parseRoute(target: string): Route | Refusal {
  let path: string;
  try {
    path = decodeURIComponent(target.split('?', 1)[0] ?? '');
  } catch {
    return NOT_FOUND;
  }
  if (path === '/v2/' || path === '/v2') return { kind: 'base' };
  const [, repository = '', kind = '', reference = ''] =
    /^\/v2\/(.+)\/(manifests|blobs)\/([^/]+)$/.exec(path) ?? [];
  if (kind !== 'manifests' && kind !== 'blobs') return NOT_FOUND;
  // The grammar has no "..", "//", blanks or control characters, so no name leads out of a store.
  if (!isRepositoryPath(repository))
    return { status: 400, code: 'NAME_INVALID', message: 'invalid repository name' };
  if (isDigest(reference) || (kind === 'manifests' && isTag(reference)))
    return { kind, repository, reference };
  return { status: 400, code: 'DIGEST_INVALID', message: 'invalid digest or tag' };
}

async function findServed(content: ServedContent, route: Route): Promise<Served | Refusal> {
  switch (route.kind) {
    case 'base':
      return NOT_FOUND;
    case 'manifests': {
      const found = await content.resolve(route.repository, route.reference);
      return found ?? { status: 404, code: 'MANIFEST_UNKNOWN', message: 'manifest unknown' };
    }
    case 'blobs': {
      const found = isDigest(route.reference) ? await content.blob(route.reference) : undefined;
      if (found === undefined || !isDigest(route.reference))
        return { status: 404, code: 'BLOB_UNKNOWN', message: 'blob unknown' };
      return { ...found, digest: route.reference, mediaType: 'application/octet-stream' };
    }
    default:
      return route satisfies never;
  }
}

function refuse(response: http.ServerResponse, { status, code, message, headers }: Refusal): void {
  const body = `${JSON.stringify({ errors: [{ code, message }] })}\n`;
  response.writeHead(status, {
    'content-type': 'application/json',
    'content-length': Buffer.byteLength(body),
    ...headers,
  });
  response.end(response.req.method === 'HEAD' ? undefined : body);
}

async function serveFile(
  request: http.IncomingMessage,
  response: http.ServerResponse,
  served: Served,
  file: FileHandle,
): Promise<void> {
  const { digest, mediaType, sizeBytes } = served;
  const headers = {
    'content-type': mediaType,
    'docker-content-digest': digest,
    etag: `"${digest}"`,
    'accept-ranges': 'bytes',
  };
  if (request.headers['if-none-match'] === `"${digest}"`) {
    response.writeHead(304, headers).end();
    return;
  }
  const range = parseRange(request.method === 'GET' ? request.headers.range : undefined, sizeBytes);
  if (range.kind === 'unsatisfiable') {
    const message = `the content has ${sizeBytes} bytes`;
    const refusal = { status: 416, code: 'RANGE_INVALID', message };
    refuse(response, { ...refusal, headers: { 'content-range': `bytes */${sizeBytes}` } });
    return;
  }
  const { first, last } = range.kind === 'part' ? range : { first: 0, last: sizeBytes - 1 };
  response.writeHead(range.kind === 'part' ? 206 : 200, {
    ...headers,
    'content-length': last - first + 1,
    ...(range.kind === 'part' ? { 'content-range': `bytes ${first}-${last}/${sizeBytes}` } : {}),
  });
  if (request.method === 'HEAD' || sizeBytes === 0) {
    response.end();
    return;
  }
  // Waits for the reader; a file that ends early leaves the answer short, which cuts the connection.
  await pipeline(
    file.createReadStream({ start: first, end: last, highWaterMark: 256 * 1024, autoClose: false }),
    response,
  );
}

async function answer(
  options: RegistryServerOptions,
  request: http.IncomingMessage,
  response: http.ServerResponse,
): Promise<void> {
  response.setHeader('docker-distribution-api-version', 'registry/2.0');
  response.setHeader('x-content-type-options', 'nosniff');
  if (request.method !== 'GET' && request.method !== 'HEAD') {
    const message = 'this registry is read-only';
    refuse(response, { status: 405, code: 'UNSUPPORTED', message, headers: { allow: 'GET, HEAD' } });
    return;
  }
  const route = parseRoute(request.url ?? '');
  const repository = 'repository' in route ? route.repository : undefined;
  const challenge = challengeFor(options.auth, request.headers.authorization, repository);
  if (challenge !== undefined) {
    const message = 'authentication required';
    const headers = { 'www-authenticate': challenge };
    refuse(response, { status: 401, code: 'UNAUTHORIZED', message, headers });
    return;
  }
  if ('status' in route) return refuse(response, route);
  if (route.kind === 'base') {
    response.writeHead(200, { 'content-type': 'application/json', 'content-length': 2 });
    response.end(request.method === 'HEAD' ? undefined : '{}');
    return;
  }
  const served = await findServed(options.content, route);
  if ('status' in served) return refuse(response, served);
  await using file = await open(served.path, 'r');
  const found = await file.stat();
  // Headers promise a size: nothing is better than a body of another one.
  if (found.isFile() && found.size === served.sizeBytes)
    return await serveFile(request, response, served, file);
  const message = `the stored content has ${found.size} bytes, want ${served.sizeBytes}`;
  refuse(response, { status: 500, code: 'UNKNOWN', message });
}

/**
 * Starts a read-only registry on a free loopback port: `/v2/`, manifests by tag and digest, blobs with ranges.
 * Bodies stream from their files as fast as the reader takes them.
 */
export async function startRegistryServer(options: RegistryServerOptions): Promise<RegistryServer> {
  const listener: http.RequestListener = (request, response) => {
    answer(options, request, response).catch(() => {
      // What went wrong is between the store and its owner: it may name paths of this machine.
      if (response.headersSent) response.destroy();
      else refuse(response, { status: 500, code: 'UNKNOWN', message: 'the content cannot be read' });
    });
  };
  const { tls } = options;
  const server =
    tls === undefined
      ? http.createServer(listener)
      : https.createServer({ cert: tls.certificate, key: tls.key }, listener);
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(0, '127.0.0.1', resolve);
  });
  const { port } = server.address() as AddressInfo;
  const host = `127.0.0.1:${port}`;
  return {
    url: `${tls === undefined ? 'http' : 'https'}://${host}`,
    host,
    port,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}
