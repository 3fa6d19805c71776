import type { ApiFetcherArgs } from '@ts-rest/core';
import got, { type Method } from 'got';
import { z } from 'zod';
import { EdgefabError } from '../errors.ts';
import { shownUrl, trickled } from './failure.ts';
import { followRedirects } from './redirect.ts';
import { type Transport, USER_AGENT } from './transport.ts';

/** An answer of a contract's route. `body` is checked JSON where the route has a schema, otherwise bytes. */
export interface Carried {
  readonly status: number;
  readonly body: unknown;
  readonly headers: Headers;
  readonly url: URL;
  readonly sameOrigin: boolean;
}

interface SmallAnswer {
  readonly status: number;
  readonly headers: Headers;
  readonly bytes: Uint8Array;
  readonly overflow: boolean;
}

interface SmallRequest {
  readonly method: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string | undefined;
  readonly maxBytes: number;
  readonly signal: AbortSignal | undefined;
}

function headersOf(raw: Readonly<Record<string, string | string[] | undefined>>): Headers {
  const headers = new Headers();
  for (const [name, value] of Object.entries(raw))
    if (value !== undefined) headers.set(name, [value].flat().join(', '));
  return headers;
}

/** A body that brings less than this in a stall time counts as stalled: one byte a minute never ends. */
const LEAST_PROGRESS_BYTES = 16 * 1024;

/** Sends one request with got; reads at most `maxBytes` of the body. Throws got's errors as they are. */
async function send(transport: Transport, url: URL, request: SmallRequest): Promise<SmallAnswer> {
  const idle = transport.stallTimeoutMs;
  request.signal?.throwIfAborted();
  const stream = got.stream(url, {
    method: request.method as Method,
    headers: { 'user-agent': USER_AGENT, ...request.headers },
    ...(request.body === undefined ? {} : { body: request.body }),
    agent: { http: transport.httpAgent, https: transport.httpsAgent },
    https: { rejectUnauthorized: transport.httpsAgent.options.rejectUnauthorized ?? true },
    // Each phase may take this long without progress; there is no limit on the whole.
    timeout: { lookup: idle, connect: idle, secureConnect: idle, socket: idle, response: idle },
    retry: { limit: 0 },
    followRedirect: false,
    throwHttpErrors: false,
    decompress: false,
  });
  // got would go on listening to a signal after the answer and then throw an error that nobody can catch.
  const { signal } = request;
  const stop = (): void => {
    stream.destroy(signal?.reason);
  };
  stream.on('error', () => {});
  signal?.addEventListener('abort', stop);
  const chunks: Uint8Array[] = [];
  let size = 0;
  let sizeBefore = 0;
  let watch: NodeJS.Timeout | undefined;
  stream.once('response', () => {
    watch = setInterval(() => {
      if (size - sizeBefore < LEAST_PROGRESS_BYTES) stream.destroy(trickled(idle, LEAST_PROGRESS_BYTES));
      sizeBefore = size;
    }, idle);
  });
  try {
    for await (const chunk of stream) {
      size += chunk.length;
      // Leaving the loop destroys the stream.
      if (size > request.maxBytes) break;
      chunks.push(chunk);
    }
  } finally {
    clearInterval(watch);
    signal?.removeEventListener('abort', stop);
  }
  const { response } = stream;
  if (response === undefined) throw new Error('the request ended without an answer');
  return {
    status: response.statusCode,
    headers: headersOf(response.headers),
    bytes: Buffer.concat(chunks),
    overflow: size > request.maxBytes,
  };
}

function parseBody(schema: z.ZodTypeAny, bytes: Uint8Array, url: URL): unknown {
  let json: unknown;
  try {
    json = JSON.parse(Buffer.from(bytes).toString('utf8'));
  } catch {
    json = undefined;
  }
  const parsed = schema.safeParse(json);
  if (parsed.success) return parsed.data;
  // The issues name fields only; the document itself may hold a token.
  const issue = parsed.error.issues[0];
  throw new EdgefabError(
    `${url.host} answered ${url.pathname} with something unexpected: ${issue?.path.join('.') || 'document'}: ${issue?.message ?? 'invalid'}`,
    { code: 'REGISTRY_REFUSED', place: { url: shownUrl(url) } },
  );
}

/**
 * Carries a ts-rest call over got: our redirect rules for GET, none for POST, bodies bounded by `maxBytes`
 * (REGISTRY_REFUSED beyond; error bodies are cut instead).
 */
export async function carry(
  transport: Transport,
  args: ApiFetcherArgs,
  { maxBytes, signal }: { readonly maxBytes: number; readonly signal?: AbortSignal | undefined },
): Promise<Carried> {
  const { authorization, ...headers } = args.headers;
  const body = args.body == null ? undefined : String(args.body);
  const request = { method: args.method, body, maxBytes, signal };
  const start = new URL(args.path);
  const sendOnce = async (url: URL, allowed: string | undefined) => {
    const all = { ...headers, ...(allowed === undefined ? {} : { authorization: allowed }) };
    const answer = await send(transport, url, { ...request, headers: all });
    return { ...answer, location: answer.headers.get('location') ?? undefined, discard: () => {} };
  };
  const { answer, url, sameOrigin } =
    args.method === 'GET'
      ? await followRedirects(start, authorization, sendOnce)
      : { answer: await sendOnce(start, authorization), url: start, sameOrigin: true };
  const { status, overflow, bytes } = answer;
  if (overflow && status < 300)
    throw new EdgefabError(`${url.host} answered ${url.pathname} with more than ${maxBytes} bytes`, {
      code: 'REGISTRY_REFUSED',
      place: { url: shownUrl(url) },
    });
  const encoding = answer.headers.get('content-encoding');
  if (status < 300 && encoding !== null && encoding !== 'identity')
    throw new EdgefabError(
      `${url.host} answered ${url.pathname} in the encoding ${encoding.slice(0, 20)}, not as it is stored`,
      {
        code: 'REGISTRY_REFUSED',
        place: { url: shownUrl(url) },
      },
    );
  const schema: unknown = args.route.responses[status];
  return {
    status,
    headers: answer.headers,
    body: schema instanceof z.ZodType ? parseBody(schema, bytes, url) : bytes,
    url,
    sameOrigin,
  };
}
