import { EdgefabError, type ErrorCode } from '../errors.ts';
import type { Host } from '../host/host.ts';
import type { Credential, CredentialSource } from './credentials.ts';
import { shownUrl } from './failure.ts';
import { printable } from './printable.ts';
import { type ImageReference, repositoryOf } from './reference.ts';
import { parseRetryAfter, transient } from './retry.ts';

/** An answer that is not what was asked for. `body` is the beginning of what the server said. */
export interface Refusal {
  readonly status: number;
  readonly retryAfter: string | undefined;
  readonly body: Uint8Array;
  readonly url: URL;
}

/** What was asked, by whom: for messages, and to keep secrets out of them. */
export interface Asked {
  readonly reference: ImageReference;
  readonly what: string;
  readonly missing: ErrorCode;
  readonly credential: Credential | undefined;
  readonly source: CredentialSource;
  readonly authorization: string | undefined;
}

/** Answers that may be others after a while. */
export const TRANSIENT_STATUS: ReadonlySet<number> = new Set([408, 425, 429, 500, 502, 503, 504]);

function secretsOf({ credential, authorization }: Pick<Asked, 'credential' | 'authorization'>): string[] {
  const secrets = authorization === undefined ? [] : [authorization.slice(authorization.indexOf(' ') + 1)];
  if (credential === undefined) return secrets;
  return [...secrets, 'identityToken' in credential ? credential.identityToken : credential.password];
}

/**
 * Says what a server said, from its error document (distribution-spec, "Error Codes") or its plain text: short,
 * printable, and without our own secrets should it echo them.
 */
export function refusalText(body: Uint8Array, asked: Pick<Asked, 'credential' | 'authorization'>): string {
  let text = Buffer.from(body).toString('utf8');
  try {
    const { errors } = JSON.parse(text) as { errors?: { code?: unknown; message?: unknown }[] };
    const parts = errors?.map(({ code, message }) => [code, message].filter((part) => part).join(': '));
    if (parts !== undefined && parts.length > 0) text = parts.join('; ');
  } catch {
    // Not an error document: the plain text is all there is.
  }
  for (const secret of secretsOf(asked)) if (secret !== '') text = text.replaceAll(secret, '…');
  const shown = printable(text.replace(/<[^>]*>/g, ' '), 200);
  return shown === '' ? '' : `: ${shown}`;
}

const repositoriesUnknown = new WeakSet<EdgefabError>();

/** Tells whether an error means that the registry has nothing of the whole repository. */
export function lacksRepository(error: EdgefabError): boolean {
  return repositoriesUnknown.has(error);
}

/** The error codes of an answer's document, lower-case without separators; none when it is no such document. */
function errorCodes(body: Uint8Array): string[] {
  try {
    const { errors, code, error } = JSON.parse(Buffer.from(body).toString('utf8')) as Record<string, unknown>;
    const list = Array.isArray(errors) ? errors : [];
    const codes = [...list.map((item: unknown) => (item as { code?: unknown } | null)?.code), code, error];
    return codes.flatMap((text) =>
      typeof text === 'string' ? [text.toLowerCase().replaceAll(/[_\s-]/g, '')] : [],
    );
  } catch {
    return [];
  }
}

/**
 * Tells whether an answer limits our rate. Registries and what stands before them say so in more shapes than
 * 429: the TOOMANYREQUESTS code or its words under another status.
 */
export function limitsRate(status: number, body: Uint8Array): boolean {
  if (status === 429) return true;
  if (errorCodes(body).includes('toomanyrequests')) return true;
  const beginning = Buffer.from(body.subarray(0, 200)).toString('latin1');
  return /^\s*(?:toomanyrequests\b|(?:429:?\s+)?too many requests\b)/i.test(beginning);
}

/** Says whether and from where credentials were sent, and what to do about it. */
function accessAdvice({ credential, source, reference }: Asked): {
  words: string;
  suggestions: string[];
} {
  if (credential !== undefined) {
    const from = credential.from === undefined ? 'credentials' : `the credentials from ${credential.from}`;
    return {
      words: `${from} were sent`,
      suggestions: [
        `Check the entry for ${reference.domain}${credential.from === undefined ? '' : ` in ${credential.from}`}: it may have expired, or lack access to this repository`,
      ],
    };
  }
  const looked = source.looked?.length ? ` (looked in ${source.looked.join(', ')})` : '';
  return {
    words: `no credentials were sent, as none were found for it${looked}`,
    suggestions: ['Give the pull secret with --authfile FILE', 'Check the spelling of the repository'],
  };
}

/** Makes the REGISTRY_UNAUTHORIZED error for a repository. */
export function unauthorized(asked: Asked, how: string): EdgefabError {
  const { words, suggestions } = accessAdvice(asked);
  const repository = repositoryOf(asked.reference);
  return new EdgefabError(
    `registry ${asked.reference.domain} refused access to ${repository} (${how}); ${words}`,
    {
      code: 'REGISTRY_UNAUTHORIZED',
      place: { image: repository },
      suggestions,
    },
  );
}

/** Makes the error for an answer: unauthorised, not there, or refused; transient where a retry may help. */
export function refused(
  refusal: Refusal,
  asked: Asked,
  sameOrigin: boolean,
  host: Pick<Host, 'now'>,
): EdgefabError {
  const { status, url } = refusal;
  const { domain } = asked.reference;
  const text = refusalText(refusal.body, asked);
  const limited = limitsRate(status, refusal.body);
  // A content server's 403 means a link that ran out, not credentials.
  if ((status === 401 || status === 403) && sameOrigin && !limited)
    return unauthorized(asked, `HTTP ${status}${text}`);
  const via = sameOrigin ? '' : ` (redirected to ${url.host})`;
  const place = { image: repositoryOf(asked.reference), url: shownUrl(url) };
  if (status === 404 && !limited) {
    const missing = new EdgefabError(`registry ${domain}${via} does not have ${asked.what}${text}`, {
      code: asked.missing,
      place,
    });
    if (errorCodes(refusal.body).includes('nameunknown')) repositoriesUnknown.add(missing);
    return missing;
  }
  const failure = new EdgefabError(
    `registry ${domain}${via} answered HTTP ${status} for ${asked.what}${text}`,
    {
      code: 'REGISTRY_REFUSED',
      place,
      suggestions: limited
        ? ['The registry limits requests: wait, or use fewer at once (--parallel)']
        : status === 407
          ? ['A proxy wants other credentials: put USER:PASSWORD@ into the URL in HTTP_PROXY']
          : [],
    },
  );
  return limited || TRANSIENT_STATUS.has(status)
    ? transient(failure, parseRetryAfter(refusal.retryAfter, host.now()))
    : failure;
}
