import { EdgefabError } from '../errors.ts';
import { transient } from './retry.ts';

/** The code Node gives a request on which nothing arrived for the stall time (got's and ours). */
const STALLED = 'ETIMEDOUT';

/** Our code for a body that comes, but so slowly that it would never end. */
const TRICKLED = 'ETRICKLED';

interface Cause {
  readonly words: string;
  /** Whether it may pass; a wrong name or port never does, but a registry that has answered may restart. */
  readonly again?: boolean | 'once it was there';
  readonly suggestion?: string;
}

const CHECK_NETWORK = 'Check the network and the proxy of this machine, then run again';
const TRUST =
  'Give the certificate of the registry’s authority, or --insecure for a registry you trust anyway';

/** What went wrong at a proxy, in words that follow "cannot be reached: ". Holds no credentials. */
export class ProxyFailure extends Error {
  readonly code = 'PROXY_FAILED';
  readonly again: boolean;
  readonly suggestion: string;

  constructor(message: string, { again, suggestion }: { again: boolean; suggestion: string }) {
    super(message);
    this.name = 'ProxyFailure';
    this.again = again;
    this.suggestion = suggestion;
  }
}

const CAUSES: Readonly<Record<string, Cause>> = {
  ENOTFOUND: {
    words: 'its name was not found',
    again: 'once it was there',
    suggestion: 'Check the host name and the DNS of this machine',
  },
  EAI_AGAIN: { words: 'the name server gave no answer', again: true, suggestion: CHECK_NETWORK },
  ECONNREFUSED: {
    words: 'the connection was refused',
    again: 'once it was there',
    suggestion: 'Check host and port, and that the registry runs',
  },
  ECONNRESET: { words: 'the connection was cut', again: true },
  EPIPE: { words: 'the connection was cut', again: true },
  ECONNABORTED: { words: 'the connection was cut', again: true },
  ERR_HTTP_CONTENT_LENGTH_MISMATCH: { words: 'its answer was cut short', again: true },
  ERR_STREAM_PREMATURE_CLOSE: { words: 'its answer was cut short', again: true },
  EHOSTUNREACH: { words: 'there is no route to it', again: true, suggestion: CHECK_NETWORK },
  ENETUNREACH: { words: 'there is no route to it', again: true, suggestion: CHECK_NETWORK },
  [STALLED]: { words: 'nothing arrived for too long', again: true, suggestion: CHECK_NETWORK },
  [TRICKLED]: { words: 'its answer came too slowly to ever end', again: true, suggestion: CHECK_NETWORK },
  CERT_HAS_EXPIRED: {
    words: 'its TLS certificate has expired',
    suggestion: 'Check the clock of this machine, then the registry’s certificate',
  },
  CERT_NOT_YET_VALID: {
    words: 'its TLS certificate is not valid yet',
    suggestion: 'Check the clock of this machine',
  },
  ERR_TLS_CERT_ALTNAME_INVALID: {
    words: 'its TLS certificate is for another name',
    suggestion: 'Use the host name that the certificate holds',
  },
  EPROTO: { words: 'it does not speak TLS on this port', suggestion: 'Use --insecure if it is plain http' },
};

/**
 * What OpenSSL found wrong where the bytes were damaged or the other side gave up, by its reason numbers
 * (sslerr.h). Node has only EPROTO for them, with OpenSSL's own code in the text.
 */
const BROKEN_TLS_REASONS: ReadonlySet<number> = new Set([281, 294, 1020, 1080]);

function brokenTls({ message }: Error): boolean {
  const packed = /:error:0A([0-9A-F]{6}):/.exec(message)?.[1];
  return packed !== undefined && BROKEN_TLS_REASONS.has(Number.parseInt(packed, 16));
}

/** Gives the system code of a failed request, looking through what a client wrapped around it. */
function failureCode(error: unknown): string {
  let code = '';
  for (let at: unknown = error; at instanceof Error; at = at.cause) {
    if ('code' in at && typeof at.code === 'string')
      code = at.code === 'EPROTO' && brokenTls(at) ? 'ERR_SSL_BROKEN' : at.code;
  }
  return code;
}

/** TLS that broke on the way, not TLS that was refused. */
const BROKEN_TLS = /^ERR_SSL_BROKEN|BAD_RECORD_MAC|DECRYPTION_FAILED|UNEXPECTED_EOF|ALERT_INTERNAL_ERROR/;

function proxyFailureIn(error: unknown): ProxyFailure | undefined {
  for (let at: unknown = error; at instanceof Error; at = at.cause) if (at instanceof ProxyFailure) return at;
  return undefined;
}

function causeOf(code: string): Cause {
  const known = CAUSES[code];
  if (known !== undefined) return known;
  if (BROKEN_TLS.test(code)) return { words: `its TLS broke off (${code})`, again: true };
  if (/SIGNED|UNABLE_TO_|CERT_/.test(code))
    return { words: `its TLS certificate is not trusted (${code})`, suggestion: TRUST };
  if (/^(?:ERR_SSL|ERR_TLS|HPE_)/.test(code))
    return { words: `it does not speak proper TLS or HTTP (${code})`, suggestion: TRUST };
  return { words: `the request failed${code === '' ? '' : ` (${code})`}` };
}

/** Tells whether an https request failed in a way that a plain http server makes it fail. */
export function speaksNoTls(error: unknown): boolean {
  const code = failureCode(error);
  if (BROKEN_TLS.test(code)) return false;
  return code === 'EPROTO' || code.startsWith('ERR_SSL') || code === 'ECONNREFUSED' || code === 'ECONNRESET';
}

/** Keeps message and code only: a client's own error holds the request, and with it the Authorization. */
export function bareCause(error: unknown): Error {
  const bare = new Error(error instanceof Error ? error.message : 'not an Error');
  return Object.assign(bare, { code: failureCode(error) });
}

/** A URL as messages show it: signed redirects carry secrets in their query. */
export function shownUrl(url: URL): string {
  return `${url.protocol}//${url.host}${url.pathname}`;
}

/**
 * Makes the REGISTRY_UNREACHABLE error for a request that got no answer; transient where a retry may help.
 * `wasThere`: the registry has answered before in this run.
 */
export function unreachable(error: unknown, registry: string, url: URL, wasThere = false): EdgefabError {
  const proxy = proxyFailureIn(error);
  const { words, again, suggestion } =
    proxy === undefined ? causeOf(failureCode(error)) : { ...proxy, words: proxy.message };
  const via = url.host === registry ? '' : ` (at ${url.host})`;
  const failure = new EdgefabError(`registry ${registry} cannot be reached${via}: ${words}`, {
    code: 'REGISTRY_UNREACHABLE',
    place: { url: shownUrl(url) },
    suggestions: suggestion === undefined ? [] : [suggestion],
    cause: bareCause(error),
  });
  return again === true || (again === 'once it was there' && wasThere) ? transient(failure) : failure;
}

/**
 * Makes the DOWNLOAD_UNREACHABLE error for a request to a plain web server that got no answer; transient where a
 * retry may help. `wasThere`: the server has answered before in this run.
 */
export function serverUnreachable(error: unknown, url: URL, wasThere: boolean): EdgefabError {
  const proxy = proxyFailureIn(error);
  const { words, again, suggestion } =
    proxy === undefined ? causeOf(failureCode(error)) : { ...proxy, words: proxy.message };
  const advice =
    suggestion === TRUST
      ? `Lay the certificate of its authority down as /etc/containers/certs.d/${url.host}/ca.crt`
      : proxy === undefined
        ? CHECK_NETWORK
        : proxy.suggestion;
  const failure = new EdgefabError(`server ${url.host} cannot be reached: ${words}`, {
    code: 'DOWNLOAD_UNREACHABLE',
    place: { url: shownUrl(url) },
    suggestions: [advice],
    cause: bareCause(error),
  });
  return again === true || (again === 'once it was there' && wasThere) ? transient(failure) : failure;
}

/** Makes the failure of a proxy that itself cannot be reached; `shown` is its URL without credentials. */
export function proxyUnreachable(shown: string, error: unknown): ProxyFailure {
  if (error instanceof ProxyFailure) return error;
  const { words, again, suggestion } = causeOf(failureCode(error));
  return new ProxyFailure(`the proxy ${shown} cannot be reached: ${words}`, {
    again: again === true,
    suggestion: suggestion ?? 'Check HTTPS_PROXY, HTTP_PROXY and NO_PROXY',
  });
}

/** Makes the error a request is ended with when less than `leastBytes` arrived in the stall time. */
export function trickled(stallTimeoutMs: number, leastBytes: number): Error {
  const message = `less than ${leastBytes} bytes arrived in ${stallTimeoutMs / 1000} s`;
  return Object.assign(new Error(message), { code: TRICKLED });
}

/** Makes the error a request is ended with when nothing arrived for the stall time. */
export function stalled(stallTimeoutMs: number): Error {
  return Object.assign(new Error(`nothing arrived for ${stallTimeoutMs / 1000} s`), { code: STALLED });
}
