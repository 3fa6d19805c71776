import { promisify } from 'node:util';
import { gunzip } from 'node:zlib';
import type { ApiFetcher } from '@ts-rest/core';
import { openAgents } from '../../oci/agents.ts';
import { bareCause } from '../../oci/failure.ts';
import type { ProxySettings } from '../../oci/proxy-settings.ts';

export interface GotFetcherOptions {
  readonly maxBytes: number;
  /** How long nothing may happen; there is no limit on the whole. */
  readonly stallTimeoutMs?: number;
  readonly retryTimes?: number;
  /** Absent: requests go out directly. */
  readonly proxies?: ProxySettings;
  readonly signal?: AbortSignal;
}

const unzip = promisify(gunzip);

/**
 * Makes a ts-rest fetcher over got for small public answers: GET without credentials, `maxBytes` as sent and
 * again as unpacked. Bodies come back as bytes whatever their type; any status is an answer. Throws
 * message and code of got's errors, zlib's as they are, and a RangeError for a body that is too large.
 */
export function gotFetcher(options: GotFetcherOptions): ApiFetcher {
  const { maxBytes, stallTimeoutMs: idle = 60_000, retryTimes = 2 } = options;
  // Kept alive by nothing but requests under way: Node does not wait for idle connections.
  const agent =
    options.proxies === undefined
      ? undefined
      : openAgents({ proxies: options.proxies, stallTimeoutMs: idle });
  return async ({ path, headers: asked, fetchOptions }) => {
    // Loaded on first use: a resolve from saved files needs no client.
    const { default: got } = await import('got');
    const tooLarge = new AbortController();
    const own = [options.signal, fetchOptions?.signal].filter((signal) => signal != null);
    const request = got(path, {
      headers: { 'user-agent': 'edgefab', ...asked, 'accept-encoding': 'gzip' },
      responseType: 'buffer',
      throwHttpErrors: false,
      // got would unpack without a bound.
      decompress: false,
      timeout: { lookup: idle, connect: idle, secureConnect: idle, socket: idle, response: idle },
      retry: { limit: retryTimes },
      signal: AbortSignal.any([tooLarge.signal, ...own]),
      ...(agent === undefined ? {} : { agent }),
    });
    const overflow = new RangeError(`the answer has more than ${maxBytes} bytes`);
    request.on('downloadProgress', ({ transferred }) => {
      if (transferred > maxBytes) tooLarge.abort(overflow);
    });
    const answer = await request.catch((error: unknown) => {
      // got's own errors hold the request, and with it what a proxy wants to hear.
      throw tooLarge.signal.aborted ? overflow : bareCause(error);
    });
    const headers = new Headers();
    for (const [name, value] of Object.entries(answer.headers))
      if (value !== undefined) headers.set(name, [value].flat().join(', '));
    const packed = headers.get('content-encoding') === 'gzip';
    const body = packed ? await unzip(answer.body, { maxOutputLength: maxBytes }) : answer.body;
    return { status: answer.statusCode, headers, body };
  };
}
