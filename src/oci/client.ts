import type { Readable } from 'node:stream';
import { type ApiFetcher, initClient } from '@ts-rest/core';
import { EdgefabError } from '../errors.ts';
import type { Host } from '../host/host.ts';
import { type Answer, openAsker, type Question } from './asker.ts';
import { type BlobAnswer, readBeginning, requestBlob } from './blob-request.ts';
import { openBlobStream } from './blob-stream.ts';
import { type Carried, carry } from './carrier.ts';
import { distributionContract } from './contract.ts';
import type { CredentialSource } from './credentials.ts';
import { type Digest, digestOf, isDigest } from './digest.ts';
import { shownUrl } from './failure.ts';
import { ACCEPTED_MANIFESTS, MAX_MANIFEST_BYTES } from './manifest.ts';
import { formatReference, type ImageReference, isTag, repositoryOf } from './reference.ts';
import type { OnRetry } from './retry.ts';
import { openTransport, type Transport } from './transport.ts';

export interface RegistryClientOptions {
  readonly credentials: CredentialSource;
  /** Unverified TLS, and plain http where TLS is not spoken, for every registry. */
  readonly insecure?: boolean;
  /** PEM certificates, trusted besides those Node trusts. */
  readonly certificateAuthorities?: readonly string[];
  readonly stallTimeoutMs?: number;
  readonly retryTimes?: number;
}

export interface FetchedManifest {
  readonly bytes: Uint8Array;
  readonly mediaType: string;
  readonly digest: Digest;
}

/** `status` 206: the body starts at the offset asked for; 200: it starts at 0, whatever was asked. */
export interface BlobBody {
  readonly status: 200 | 206;
  /** Of this body. */
  readonly sizeBytes: number | undefined;
  readonly stream: Readable;
}

interface Cancellable {
  readonly signal?: AbortSignal;
  /** Told when opening is tried again. */
  readonly onRetry?: OnRetry;
}

export interface RegistryClient {
  /** Fetches by digest, else by tag, else `latest`; the bytes are held against the digest. */
  getManifest(reference: ImageReference, options?: Cancellable): Promise<FetchedManifest>;
  /** Opens a blob's body; the caller hashes it. Its stream must be read to its end or destroyed. */
  openBlob(
    repository: ImageReference,
    digest: Digest,
    options?: Cancellable & { readonly offset?: number },
  ): Promise<BlobBody>;
  listTags(repository: ImageReference, options?: Cancellable): Promise<string[]>;
  close(): void;
}

const MAX_TAGS_BYTES = 8 * 1024 * 1024;
const TAGS_A_PAGE = 1000;
const MAX_TAG_PAGES = 1000;

function contractClient(baseUrl: string, authorization: string | undefined, api: ApiFetcher) {
  const baseHeaders = authorization === undefined ? {} : { authorization };
  return initClient(distributionContract, { baseUrl, baseHeaders, api });
}

/** Makes a question's `send` from one call of the contract. */
function viaContract(
  transport: Transport,
  maxBytes: number,
  call: (client: ReturnType<typeof contractClient>) => Promise<unknown>,
): Question<Carried>['send'] {
  return async (baseUrl, authorization, signal) => {
    let carried: Carried | undefined;
    const api: ApiFetcher = async (args) => {
      carried = await carry(transport, args, { maxBytes, signal });
      return carried;
    };
    await call(contractClient(baseUrl, authorization, api));
    if (carried === undefined) throw new Error('the request ended without an answer');
    const { status, sameOrigin, url, headers, body } = carried;
    return {
      status,
      sameOrigin,
      url,
      value: carried,
      header: (name) => headers.get(name) ?? undefined,
      beginning: async () => (body instanceof Uint8Array ? body : new Uint8Array()),
    };
  };
}

function viaBlobRequest(transport: Transport, path: string, offset: number): Question<BlobAnswer>['send'] {
  return async (baseUrl, authorization, signal) => {
    const start = new URL(path, baseUrl);
    const { answer, url, sameOrigin } = await requestBlob(transport, start, authorization, {
      offset,
      signal,
    });
    const { response } = answer;
    return {
      status: answer.status,
      sameOrigin,
      url,
      value: answer,
      header: (name) => response.headersDistinct[name]?.join(', '),
      beginning: () => readBeginning(response),
    };
  };
}

/** Where a 206 body starts (RFC 9110 §14.4); undefined when it does not say. */
function startOf(contentRange: string | undefined): number | undefined {
  const start = /^bytes ([0-9]{1,15})-[0-9]+\/(?:[0-9]+|\*)$/.exec(contentRange?.trim() ?? '')?.[1];
  return start === undefined ? undefined : Number(start);
}

/** Refuses a body that is not the stored bytes from the right place on. */
function checkBody({ status, url, header }: Answer<BlobAnswer>, what: string, offset: number): void {
  const refuse = (why: string): EdgefabError =>
    new EdgefabError(`${url.host} answered for ${what} ${why}`, {
      code: 'REGISTRY_REFUSED',
      place: { url: shownUrl(url) },
    });
  const encoding = header('content-encoding');
  if (encoding !== undefined && encoding !== 'identity') throw refuse('in an encoding, not as it is stored');
  const start = status === 206 ? startOf(header('content-range')) : 0;
  if (status === 206 && (offset === 0 || start !== offset))
    throw refuse(`with bytes from ${start ?? 'nowhere'} on, want from ${offset} on`);
}

/** The name after which the next page of tags starts (distribution-spec, "Listing Tags"). */
function nextPage(link: string | undefined): string | undefined {
  const target = /<([^>]{1,2000})>\s*;\s*rel="?next"?/i.exec(link ?? '')?.[1];
  if (target === undefined || !URL.canParse(target, 'http://page/')) return undefined;
  const last = new URL(target, 'http://page/').searchParams.get('last');
  return last !== null && isTag(last) ? last : undefined;
}

/**
 * Opens a client of the OCI distribution API: anonymous, Basic and Bearer access, redirects that never carry
 * the Authorization to another origin, retries of opening (not of bodies) with back-off, time limits on
 * silence only. Throws REGISTRY_UNREACHABLE, REGISTRY_UNAUTHORIZED, REGISTRY_REFUSED, MANIFEST_UNKNOWN,
 * BLOB_UNKNOWN, MANIFEST_DIGEST_MISMATCH; a body that breaks off ends in BLOB_TRUNCATED.
 */
export function createRegistryClient(
  options: RegistryClientOptions,
  host: Pick<Host, 'now' | 'sleep'>,
): RegistryClient {
  const { credentials: source, insecure = false, retryTimes = 3, stallTimeoutMs = 60_000 } = options;
  const certificateAuthorities = options.certificateAuthorities ?? [];
  const transport = openTransport({ insecure, stallTimeoutMs, certificateAuthorities });
  const lifetime = new AbortController();
  const ask = openAsker(transport, { source, insecure, retryTimes, lifetime: lifetime.signal }, host);

  return {
    getManifest: async (reference, { signal, onRetry } = {}) => {
      const what = `the manifest of ${formatReference(reference)}`;
      const params = { name: reference.path, reference: reference.digest ?? reference.tag ?? 'latest' };
      const headers = { accept: ACCEPTED_MANIFESTS.join(', ') };
      const send = viaContract(transport, MAX_MANIFEST_BYTES, (client) =>
        client.manifest({ params, headers }),
      );
      const answer = await ask({
        reference,
        what,
        missing: 'MANIFEST_UNKNOWN',
        accepts: [200],
        signal,
        onRetry,
        send,
      });
      const bytes = await answer.beginning();
      const digest = digestOf(bytes);
      // By tag there is nothing to hold the bytes against but what the registry itself says of them.
      const said = answer.header('docker-content-digest');
      const wanted = reference.digest ?? (said !== undefined && isDigest(said) ? said : digest);
      if (digest !== wanted)
        throw new EdgefabError(`${what} has digest ${digest} after ${bytes.length} bytes, want ${wanted}`, {
          code: 'MANIFEST_DIGEST_MISMATCH',
          place: { image: formatReference(reference) },
          suggestions: ['Run again; if it stays, a proxy or the registry changes what it serves'],
        });
      const mediaType = (answer.header('content-type') ?? '').split(';', 1)[0] ?? '';
      return { bytes, mediaType: mediaType.trim(), digest };
    },

    openBlob: async (repository, digest, { offset = 0, signal, onRetry } = {}) => {
      const what = `blob ${digest} of ${repositoryOf(repository)}`;
      const path = `/v2/${repository.path}/blobs/${digest}`;
      const request = { reference: repository, what, missing: 'BLOB_UNKNOWN', signal, onRetry } as const;
      const from = (at: number, accepts: number[]): Promise<Answer<BlobAnswer>> =>
        ask({ ...request, accepts, send: viaBlobRequest(transport, path, at) });
      let answer = await from(offset, offset > 0 ? [200, 206, 416] : [200, 206]);
      if (answer.status === 416) {
        // What we hold is longer than the blob, so it is not the blob: from the start.
        answer.value.discard();
        answer = await from(0, [200]);
      }
      const { response } = answer.value;
      try {
        checkBody(answer, what, offset);
      } catch (error) {
        response.destroy();
        throw error;
      }
      const length = answer.header('content-length');
      const sizeBytes = length === undefined ? undefined : Number(length);
      const bodySignal = signal === undefined ? lifetime.signal : AbortSignal.any([signal, lifetime.signal]);
      const stream = openBlobStream(response, {
        what: `${what} from ${answer.url.host}`,
        expectedBytes: sizeBytes,
        stallTimeoutMs,
        signal: bodySignal,
      });
      return { status: answer.status === 206 ? 206 : 200, sizeBytes, stream };
    },

    listTags: async (repository, { signal } = {}) => {
      const what = `the tags of ${repositoryOf(repository)}`;
      const tags = new Set<string>();
      let last: string | undefined;
      for (let page = 0; page < MAX_TAG_PAGES; page += 1) {
        const query = { n: TAGS_A_PAGE, ...(last === undefined ? {} : { last }) };
        let found: string[] = [];
        const send = viaContract(transport, MAX_TAGS_BYTES, async (client) => {
          const answer = await client.tags({ params: { name: repository.path }, query });
          if (answer.status === 200) found = answer.body.tags ?? [];
        });
        const answer = await ask({
          reference: repository,
          what,
          missing: 'MANIFEST_UNKNOWN',
          accepts: [200],
          signal,
          send,
        });
        for (const tag of found) if (isTag(tag)) tags.add(tag);
        const next = nextPage(answer.header('link'));
        if (next === undefined || next === last) break;
        last = next;
      }
      return [...tags];
    },

    close: () => {
      lifetime.abort();
      transport.close();
    },
  };
}
