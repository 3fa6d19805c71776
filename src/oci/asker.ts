import { EdgefabError, type ErrorCode } from '../errors.ts';
import type { Host } from '../host/host.ts';
import { openAuthorizer } from './authorizer.ts';
import { parseChallenges } from './challenge.ts';
import type { CredentialSource } from './credentials.ts';
import { unreachable } from './failure.ts';
import type { ImageReference } from './reference.ts';
import { refused } from './refusal.ts';
import { type OnRetry, withRetries } from './retry.ts';
import { openSessions, type Session } from './session.ts';
import type { Transports } from './transport.ts';

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
  /** Unverified TLS, and plain http where TLS is not spoken. */
  readonly insecure: boolean;
  readonly what: string;
  readonly missing: ErrorCode;
  readonly accepts: readonly number[];
  readonly signal: AbortSignal | undefined;
  readonly onRetry?: OnRetry | undefined;
  send(session: Session, authorization: string | undefined, signal: AbortSignal): Promise<Answer<T>>;
  /** Looks at an accepted answer; a transient error it throws has the question asked again. */
  check?(answer: Answer<T>): Promise<void>;
}

/** Asks a question until its answer is one it accepts, or an error that stays. */
export type Ask = <T>(question: Question<T>) => Promise<Answer<T>>;

export interface AskerOptions {
  readonly source: CredentialSource;
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
  transports: Transports,
  { source, retryTimes, lifetime }: AskerOptions,
  host: Pick<Host, 'now' | 'sleep'>,
): Ask {
  const connect = openSessions(transports, lifetime, host);
  const authorizer = openAuthorizer(lifetime, host);

  async function attempt<T>(question: Question<T>, signal: AbortSignal): Promise<Answer<T>> {
    const { reference, insecure } = question;
    const session = await within(connect(reference.domain, insecure), signal);
    const { baseUrl, challenges, transport } = session;
    const credential = await source.find(reference);
    const wanted = { reference, credential, source, baseUrl, transport };
    const send = async (authorization: string | undefined): Promise<Answer<T>> => {
      try {
        return await question.send(session, authorization, signal);
      } catch (error) {
        if (signal.aborted) throw signal.reason;
        if (error instanceof EdgefabError) throw error;
        throw unreachable(error, reference.domain, new URL(baseUrl), true);
      }
    };
    let access = await within(authorizer.authorization({ ...wanted, challenges }), signal);
    let answer = await send(access.header);
    // A token another stream has renewed may already be old; one asked for just now is the last word.
    for (let renewals = 0; renewals < 2 && answer.status === 401 && answer.sameOrigin; renewals += 1) {
      const now = parseChallenges(answer.header('www-authenticate') ?? '');
      const renewal = authorizer.authorization({ ...wanted, challenges: now, stale: access.header });
      const renewed = await within(renewal, signal);
      if (renewed.header === undefined || renewed.header === access.header) break;
      await answer.beginning();
      access = renewed;
      answer = await send(access.header);
      if (renewed.fresh) break;
    }
    if (question.accepts.includes(answer.status)) {
      await question.check?.(answer);
      return answer;
    }
    const { status, url, sameOrigin } = answer;
    const body = await answer.beginning();
    const refusal = { status, url, body, retryAfter: answer.header('retry-after') };
    const asked = { ...question, credential, source, authorization: access.header };
    throw refused(refusal, asked, sameOrigin, host);
  }

  return (question) => {
    const { what, signal: own, onRetry } = question;
    const signal = own === undefined ? lifetime : AbortSignal.any([own, lifetime]);
    return withRetries(() => attempt(question, signal), { retryTimes, what, signal, onRetry }, host);
  };
}
