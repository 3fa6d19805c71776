import { EdgefabError, type ErrorCode } from '../errors.ts';
import type { Host } from '../host/host.ts';
import { openAuthorizer } from './authorizer.ts';
import { parseChallenges } from './challenge.ts';
import type { CredentialSource } from './credentials.ts';
import { unreachable } from './failure.ts';
import type { ImageReference } from './reference.ts';
import { refused } from './refusal.ts';
import { type OnRetry, withRetries } from './retry.ts';
import { openSessions } from './session.ts';
import type { Transport } from './transport.ts';

/** What any carrier answers, as far as access and refusals need it. */
export interface Answer<T> {
  readonly status: number;
  /** False once a redirect led to another origin. */
  readonly sameOrigin: boolean;
  readonly url: URL;
  readonly value: T;
  header(name: string): string | undefined;
  /** The beginning of the body, read to its end; once. */
  beginning(): Promise<Uint8Array>;
}

/** One thing to ask of a registry. `missing` is the code for a 404. */
export interface Question<T> {
  readonly reference: ImageReference;
  readonly what: string;
  readonly missing: ErrorCode;
  readonly accepts: readonly number[];
  readonly signal: AbortSignal | undefined;
  readonly onRetry?: OnRetry | undefined;
  send(baseUrl: string, authorization: string | undefined, signal: AbortSignal): Promise<Answer<T>>;
}

export interface AskerOptions {
  readonly source: CredentialSource;
  readonly insecure: boolean;
  readonly retryTimes: number;
  /** Ends everything under way. */
  readonly lifetime: AbortSignal;
}

/** Waits for work that others share: our signal ends the waiting, not the work. */
function within<T>(work: Promise<T>, signal: AbortSignal): Promise<T> {
  return new Promise((resolve, reject) => {
    const stop = (): void => reject(signal.reason);
    if (signal.aborted) stop();
    signal.addEventListener('abort', stop, { once: true });
    work.then(resolve, reject).finally(() => signal.removeEventListener('abort', stop));
  });
}

/**
 * Opens what every question goes through: the registry's session, access (renewed once on a 401), retries of
 * what may go away, and refusals in words. The function it gives resolves with an accepted status only.
 */
export function openAsker(
  transport: Transport,
  { source, insecure, retryTimes, lifetime }: AskerOptions,
  host: Pick<Host, 'now' | 'sleep'>,
): <T>(question: Question<T>) => Promise<Answer<T>> {
  const connect = openSessions(transport, insecure, lifetime, host);
  const authorizer = openAuthorizer(transport, lifetime, host);

  async function attempt<T>(question: Question<T>, signal: AbortSignal): Promise<Answer<T>> {
    const { reference } = question;
    const { baseUrl, challenges } = await within(connect(reference.domain), signal);
    const credential = await source.find(reference);
    const access = { reference, credential, source, baseUrl };
    const send = async (authorization: string | undefined): Promise<Answer<T>> => {
      try {
        return await question.send(baseUrl, authorization, signal);
      } catch (error) {
        if (signal.aborted) throw signal.reason;
        if (error instanceof EdgefabError) throw error;
        throw unreachable(error, reference.domain, new URL(baseUrl));
      }
    };
    let authorization = await within(authorizer.authorization({ ...access, challenges }), signal);
    let answer = await send(authorization);
    if (answer.status === 401 && answer.sameOrigin) {
      const now = parseChallenges(answer.header('www-authenticate') ?? '');
      const renewal = authorizer.authorization({ ...access, challenges: now, stale: authorization });
      const renewed = await within(renewal, signal);
      if (renewed !== undefined && renewed !== authorization) {
        await answer.beginning();
        authorization = renewed;
        answer = await send(authorization);
      }
    }
    if (question.accepts.includes(answer.status)) return answer;
    const { status, url, sameOrigin } = answer;
    const body = await answer.beginning();
    const refusal = { status, url, body, retryAfter: answer.header('retry-after') };
    throw refused(refusal, { ...question, credential, source, authorization }, sameOrigin, host);
  }

  return (question) => {
    const { what, signal: own, onRetry } = question;
    const signal = own === undefined ? lifetime : AbortSignal.any([own, lifetime]);
    return withRetries(() => attempt(question, signal), { retryTimes, what, signal, onRetry }, host);
  };
}
