import { EdgefabError } from '../errors.ts';
import { shownUrl } from './failure.ts';

const MAX_REDIRECTS = 5;
const REDIRECT_STATUS: ReadonlySet<number> = new Set([301, 302, 303, 307, 308]);

/** What following needs of an answer; `discard` gives its connection back. */
export interface Redirectable {
  readonly status: number;
  readonly location: string | undefined;
  discard(): void;
}

export interface Followed<T> {
  readonly answer: T;
  readonly url: URL;
  /** False once another origin answered: its 401 says nothing about our credentials. */
  readonly sameOrigin: boolean;
}

/** Where a redirect leads. Throws REGISTRY_REFUSED for what must not be followed. */
function nextUrl(from: URL, location: string | undefined): URL {
  const refuse = (why: string): EdgefabError =>
    new EdgefabError(`${from.host} redirected ${from.pathname} ${why}`, {
      code: 'REGISTRY_REFUSED',
      place: { url: shownUrl(from) },
    });
  if (location === undefined || location === '') throw refuse('without saying where to');
  if (!URL.canParse(location, from.href)) throw refuse('to something that is no URL');
  const to = new URL(location, from);
  to.hash = '';
  if (to.protocol !== 'https:' && to.protocol !== 'http:') throw refuse(`to the scheme ${to.protocol}`);
  if (from.protocol === 'https:' && to.protocol === 'http:')
    throw refuse(`from https to plain http at ${to.host}`);
  if (to.username !== '' || to.password !== '') throw refuse(`to a URL with a password at ${to.host}`);
  return to;
}

/**
 * Sends a request and follows at most 5 redirects. The Authorization goes to the first origin only and, once
 * another origin was involved, to none. Throws REGISTRY_REFUSED for loops and downgrades.
 */
export async function followRedirects<T extends Redirectable>(
  start: URL,
  authorization: string | undefined,
  send: (url: URL, authorization: string | undefined) => Promise<T>,
): Promise<Followed<T>> {
  const visited = new Set<string>();
  let url = start;
  let sameOrigin = true;
  while (true) {
    visited.add(url.href);
    const answer = await send(url, sameOrigin ? authorization : undefined);
    if (!REDIRECT_STATUS.has(answer.status)) return { answer, url, sameOrigin };
    answer.discard();
    const next = nextUrl(url, answer.location);
    if (visited.has(next.href) || visited.size > MAX_REDIRECTS) {
      const why = visited.has(next.href) ? 'in a loop' : `more than ${MAX_REDIRECTS} times`;
      throw new EdgefabError(`${start.host} redirected ${start.pathname} ${why}`, {
        code: 'REGISTRY_REFUSED',
        place: { url: shownUrl(start) },
      });
    }
    sameOrigin &&= next.origin === start.origin;
    url = next;
  }
}
