import type { Readable } from 'node:stream';
import { EdgefabError } from '../errors.ts';
import type { Answer, Ask, Question } from './asker.ts';
import { type BlobAnswer, readBeginning, requestBlob } from './blob-request.ts';
import { openBlobStream } from './blob-stream.ts';
import type { Digest } from './digest.ts';
import { shownUrl } from './failure.ts';
import { repositoryOf } from './reference.ts';
import type { RegistryEndpoint } from './registries-conf.ts';
import type { OnRetry } from './retry.ts';

/** `status` 206: the body starts at the offset asked for; 200: it starts at 0, whatever was asked. */
export interface BlobBody {
  readonly status: 200 | 206;
  /** Of this body. */
  readonly sizeBytes: number | undefined;
  readonly stream: Readable;
  /** Says that the bytes were wrong: a mirror that sent them is not asked for this blob again. */
  distrust?(): void;
}

export interface BlobOpening {
  readonly offset: number;
  readonly stallTimeoutMs: number;
  readonly signal: AbortSignal | undefined;
  readonly onRetry: OnRetry | undefined;
  /** Ends bodies as well as requests. */
  readonly lifetime: AbortSignal;
}

function viaBlobRequest(path: string, offset: number): Question<BlobAnswer>['send'] {
  return async ({ transport, baseUrl }, authorization, signal) => {
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

/** Tells where a 206 body starts (RFC 9110 §14.4); undefined when it does not say. */
export function startOf(contentRange: string | undefined): number | undefined {
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

/** Opens a blob's body at one endpoint, from `offset` on where the server can. */
export async function openBlobAt(
  ask: Ask,
  { reference, insecure }: RegistryEndpoint,
  digest: Digest,
  { offset, stallTimeoutMs, signal, onRetry, lifetime }: BlobOpening,
): Promise<BlobBody> {
  const what = `blob ${digest} of ${repositoryOf(reference)}`;
  const path = `/v2/${reference.path}/blobs/${digest}`;
  const from = (at: number, accepts: number[]): Promise<Answer<BlobAnswer>> =>
    ask({
      reference,
      insecure,
      what,
      missing: 'BLOB_UNKNOWN',
      signal,
      onRetry,
      accepts,
      send: viaBlobRequest(path, at),
    });
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
  const stream = openBlobStream(response, {
    what: `${what} from ${answer.url.host}`,
    expectedBytes: sizeBytes,
    stallTimeoutMs,
    signal: signal === undefined ? lifetime : AbortSignal.any([signal, lifetime]),
  });
  return { status: answer.status === 206 ? 206 : 200, sizeBytes, stream };
}
