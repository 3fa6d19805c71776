import type { Readable } from 'node:stream';
import { EdgefabError } from '../../errors.ts';
import type { Host } from '../../host/host.ts';
import { type BlobAnswer, readBeginning, requestBlob } from '../../oci/blob-request.ts';
import { openBlobStream } from '../../oci/blob-stream.ts';
import type { CredentialSource } from '../../oci/credentials.ts';
import { serverUnreachable, shownUrl } from '../../oci/failure.ts';
import { startOf } from '../../oci/open-blob.ts';
import type { ProxySettings } from '../../oci/proxy-settings.ts';
import type { Followed } from '../../oci/redirect.ts';
import { refusalText, TRANSIENT_STATUS } from '../../oci/refusal.ts';
import type { RegistryCertificates } from '../../oci/registry-certificates.ts';
import { type OnRetry, parseRetryAfter, transient, withRetries } from '../../oci/retry.ts';
import { openTransports } from '../../oci/transport.ts';

export interface WebClientOptions {
  /** Whose entry for a server is sent to it as Basic; none is sent when absent. */
  readonly credentials?: CredentialSource | undefined;
  readonly proxies: ProxySettings;
  /** Finds the authorities laid down for one server (HOST:PORT). */
  readonly certificatesFor: (domain: string) => Promise<RegistryCertificates>;
  readonly retryTimes: number;
  readonly stallTimeoutMs?: number;
}

export interface WebRequest {
  readonly signal: AbortSignal;
  readonly offset?: number;
  readonly ifRange?: string | undefined;
  readonly onRetry?: OnRetry;
}

/** `status` 206: the body starts at the offset asked for; 200: it starts at 0, whatever was asked. */
export interface WebBody {
  readonly status: 200 | 206;
  /** Of the whole file; undefined when the server does not say. */
  readonly totalBytes: number | undefined;
  /** Only a strong one, which a later If-Range may name. */
  readonly etag: string | undefined;
  readonly stream: Readable;
}

/** Reads files of plain web servers. URLs hold no credentials. */
export interface WebClient {
  /** Opens a file; undefined where there is none. Its stream must be read to its end or destroyed. */
  open(url: URL, request: WebRequest): Promise<WebBody | undefined>;
  /** Reads a small file whole; undefined where there is none. */
  read(url: URL, maxBytes: number, request: WebRequest): Promise<Buffer | undefined>;
  close(): void;
}

function totalOf(status: number, answer: BlobAnswer): number | undefined {
  const { headers } = answer.response;
  const text =
    status === 206 ? /\/([0-9]{1,15})$/.exec(headers['content-range'] ?? '')?.[1] : headers['content-length'];
  return text === undefined ? undefined : Number(text);
}

/** RFC 9110 §8.8.3; a weak one may be the same for other bytes. */
function strongEtag(text: string | undefined): string | undefined {
  return text !== undefined && text.length <= 200 && /^"[\x21\x23-\x7e]*"$/.test(text) ? text : undefined;
}

function refuse(url: URL, why: string, suggestions: readonly string[] = []): EdgefabError {
  return new EdgefabError(`server ${url.host} ${why}`, {
    code: 'DOWNLOAD_REFUSED',
    place: { url: shownUrl(url) },
    suggestions,
  });
}

/**
 * Opens a client of plain web servers over the same connections, redirect rules, retries and time limits on
 * silence as registries have: credentials go to the first origin only. It throws DOWNLOAD_UNREACHABLE,
 * DOWNLOAD_REFUSED, REGISTRY_REFUSED for a bad redirect; bodies end in BLOB_TRUNCATED when they break off.
 */
export function openWebClient(options: WebClientOptions, host: Pick<Host, 'now' | 'sleep'>): WebClient {
  const { credentials, certificatesFor, proxies, retryTimes, stallTimeoutMs = 60_000 } = options;
  const transports = openTransports({ certificateAuthorities: [], certificatesFor, proxies, stallTimeoutMs });
  const answered = new Set<string>();

  async function authorizationFor(url: URL): Promise<string | undefined> {
    const found = await credentials?.find({ domain: url.host, path: url.pathname.slice(1) });
    if (found === undefined || !('password' in found)) return undefined;
    return `Basic ${Buffer.from(`${found.username}:${found.password}`).toString('base64')}`;
  }

  async function refusal(
    { answer, url, sameOrigin }: Followed<BlobAnswer>,
    authorization: string | undefined,
  ) {
    const { status, response } = answer;
    const body = await readBeginning(response);
    response.destroy();
    const text = refusalText(body, { credential: undefined, authorization });
    const denied = (status === 401 || status === 403) && sameOrigin;
    const failure = refuse(
      url,
      `answered HTTP ${status} for ${url.pathname}${text}`,
      denied ? [`Check that it is the right address, and the entry for ${url.host} in --authfile`] : [],
    );
    return TRANSIENT_STATUS.has(status)
      ? transient(failure, parseRetryAfter(response.headers['retry-after'], host.now()))
      : failure;
  }

  async function attempt(start: URL, request: WebRequest): Promise<WebBody | undefined> {
    const { offset = 0, ifRange, signal } = request;
    const transport = await transports.open(start.host, false);
    const authorization = await authorizationFor(start);
    let followed: Followed<BlobAnswer>;
    try {
      followed = await requestBlob(transport, start, authorization, { offset, ifRange, signal });
    } catch (error) {
      if (signal.aborted) throw signal.reason;
      if (error instanceof EdgefabError) throw error;
      throw serverUnreachable(error, start, answered.has(start.host));
    }
    answered.add(start.host);
    const { answer, url } = followed;
    const { status, response } = answer;
    if (status === 404 || status === 410) {
      answer.discard();
      return undefined;
    }
    if (status === 416 && offset > 0) {
      // What we hold is longer than the file, so it is another one: from the start.
      answer.discard();
      return await attempt(start, { signal });
    }
    if (status !== 200 && status !== 206) throw await refusal(followed, authorization);
    const encoding = response.headers['content-encoding'];
    const from = status === 206 ? startOf(response.headers['content-range']) : 0;
    if ((encoding !== undefined && encoding !== 'identity') || (status === 206 && from !== offset)) {
      response.destroy();
      throw refuse(
        url,
        encoding === undefined || encoding === 'identity'
          ? `sent ${url.pathname} from byte ${from ?? 'unknown'} on, want from ${offset} on`
          : `sent ${url.pathname} in an encoding, not as it is stored`,
      );
    }
    const length = response.headers['content-length'];
    const stream = openBlobStream(response, {
      what: `${url.pathname.slice(url.pathname.lastIndexOf('/') + 1)} from ${url.host}`,
      expectedBytes: length === undefined ? undefined : Number(length),
      stallTimeoutMs,
      signal,
    });
    return { status, totalBytes: totalOf(status, answer), etag: strongEtag(response.headers.etag), stream };
  }

  async function open(url: URL, request: WebRequest): Promise<WebBody | undefined> {
    const { signal, onRetry } = request;
    return await withRetries(
      () => attempt(url, request),
      { retryTimes, what: url.href, signal, onRetry },
      host,
    );
  }

  async function readOnce(url: URL, maxBytes: number, request: WebRequest): Promise<Buffer | undefined> {
    const body = await attempt(url, request);
    if (body === undefined) return undefined;
    const chunks: Uint8Array[] = [];
    let size = 0;
    try {
      for await (const chunk of body.stream) {
        size += (chunk as Uint8Array).length;
        if (size > maxBytes) throw refuse(url, `sent more than ${maxBytes} bytes for ${url.pathname}`);
        chunks.push(chunk as Uint8Array);
      }
    } catch (error) {
      // A small file is asked for again as a whole.
      if (error instanceof EdgefabError && error.code === 'BLOB_TRUNCATED') transient(error);
      throw error;
    } finally {
      body.stream.destroy();
    }
    return Buffer.concat(chunks);
  }

  return {
    open,
    read: (url, maxBytes, request) =>
      withRetries(
        () => readOnce(url, maxBytes, request),
        { retryTimes, what: url.href, signal: request.signal, onRetry: request.onRetry },
        host,
      ),
    close: () => transports.close(),
  };
}
