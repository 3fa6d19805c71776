import type { ApiFetcherArgs } from '@ts-rest/core';
import { z } from 'zod';
import { EdgefabError } from '../errors.ts';
import { shownUrl, trickled } from './failure.ts';
import { sendRequest } from './http-request.ts';
import { followRedirects } from './redirect.ts';
import type { Transport } from './transport.ts';

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

/** Sends one request; reads at most `maxBytes` of the body. Throws Node's errors as they are. */
async function send(transport: Transport, url: URL, request: SmallRequest): Promise<SmallAnswer> {
  const { method, headers, body, maxBytes, signal } = request;
  const response = await sendRequest(transport, url, { method, headers, body, signal });
  const idle = transport.stallTimeoutMs;
  const chunks: Uint8Array[] = [];
  let size = 0;
  let sizeBefore = 0;
  const watch = setInterval(() => {
    if (size - sizeBefore < LEAST_PROGRESS_BYTES) response.destroy(trickled(idle, LEAST_PROGRESS_BYTES));
    sizeBefore = size;
  }, idle);
  try {
    for await (const chunk of response) {
      size += (chunk as Uint8Array).length;
      // Leaving the loop destroys the answer.
      if (size > maxBytes) break;
      chunks.push(chunk as Uint8Array);
    }
  } finally {
    clearInterval(watch);
  }
  return {
    status: response.statusCode ?? 0,
    headers: headersOf(response.headers),
    bytes: Buffer.concat(chunks),
    overflow: size > maxBytes,
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
 * Carries a ts-rest call over HTTP: our redirect rules for GET, none for POST, bodies bounded by `maxBytes`
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
