import { initClient } from '@ts-rest/core';
import { EdgefabError } from '../errors.ts';
import type { Host } from '../host/host.ts';
import { carry } from './carrier.ts';
import type { Challenge } from './challenge.ts';
import { tokenContract } from './contract.ts';
import { unreachable } from './failure.ts';
import { printable } from './printable.ts';
import { repositoryOf } from './reference.ts';
import { type Asked, refused, unauthorized } from './refusal.ts';
import type { Transport } from './transport.ts';

/** What a proof of access is wanted for. `baseUrl` is the registry's origin. */
interface AccessRequest extends Omit<Asked, 'authorization' | 'what' | 'missing'> {
  readonly transport: Transport;
  readonly baseUrl: string;
  readonly challenges: readonly Challenge[];
  /** An Authorization the registry no longer takes. */
  readonly stale?: string | undefined;
}

/** `header` is undefined when nothing can or need be sent; `fresh` when it was asked for just now. */
interface Access {
  readonly header: string | undefined;
  readonly fresh: boolean;
}

export interface Authorizer {
  /** Gives the Authorization header for a request. */
  authorization(request: AccessRequest): Promise<Access>;
}

interface Token {
  readonly header: string;
  readonly expiresMs: number;
}

const MAX_TOKEN_ANSWER_BYTES = 256 * 1024;
/** A token this close to its end may run out on its way. */
const MARGIN_MS = 10_000;
const LOOPBACK = /^(?:localhost|127(?:\.\d+){3}|\[::1\])$/;
/** More than one repository at once is never needed to pull; a server may not talk us into asking for push. */
const PULL_SCOPE = /^repository:[a-zA-Z0-9._/:-]{1,512}:pull$/;

function basic({ username, password }: { username: string; password: string }): string {
  return `Basic ${Buffer.from(`${username}:${password}`).toString('base64')}`;
}

/**
 * The token server of a Bearer challenge. It may be another host (the spec means it so) and then gets the
 * credentials, but plain http only where the registry itself was reached by it, or both are on this machine.
 */
function realmOf(challenge: Challenge, request: AccessRequest): URL {
  const { domain } = request.reference;
  const text = challenge.parameters.get('realm') ?? '';
  const refuse = (why: string): EdgefabError =>
    new EdgefabError(`registry ${domain} sends for a token to "${printable(text, 200)}": ${why}`, {
      code: 'REGISTRY_REFUSED',
    });
  if (!URL.canParse(text)) throw refuse('that is not a URL');
  const realm = new URL(text);
  if (realm.username !== '' || realm.password !== '') throw refuse('a URL with a password is not followed');
  const registry = new URL(request.baseUrl);
  const bothHere = LOOPBACK.test(registry.hostname) && LOOPBACK.test(realm.hostname);
  if (realm.protocol === 'https:') return realm;
  if (realm.protocol === 'http:' && (registry.protocol === 'http:' || bothHere)) return realm;
  throw refuse('credentials go over https only');
}

async function askToken(
  challenge: Challenge,
  scope: string,
  request: AccessRequest,
  signal: AbortSignal,
  host: Pick<Host, 'now'>,
): Promise<Token> {
  const realm = realmOf(challenge, request);
  const { credential, transport } = request;
  const service = challenge.parameters.get('service');
  const authorization = credential !== undefined && 'username' in credential ? basic(credential) : undefined;
  const client = initClient(tokenContract, {
    baseUrl: `${realm.origin}${realm.pathname}`,
    baseHeaders: authorization === undefined ? {} : { authorization },
    api: (args) => {
      const url = new URL(args.path);
      for (const [name, value] of realm.searchParams) url.searchParams.append(name, value);
      return carry(transport, { ...args, path: url.href }, { maxBytes: MAX_TOKEN_ANSWER_BYTES, signal });
    },
  });
  const asking =
    credential !== undefined && 'identityToken' in credential
      ? client.exchange({
          body: {
            grant_type: 'refresh_token',
            client_id: 'edgefab',
            service: service ?? realm.host,
            scope,
            refresh_token: credential.identityToken,
          },
        })
      : client.get({ query: { scope, ...(service === undefined ? {} : { service }) } });
  const answer = await asking.catch((error: unknown) => {
    if (error instanceof EdgefabError || signal.aborted) throw error;
    // The registry has answered, so its token server is no slip of the pen.
    throw unreachable(error, request.reference.domain, realm, true);
  });
  if (answer.status === 200) {
    const { token, lifetimeMs } = answer.body;
    return { header: `Bearer ${token}`, expiresMs: host.now().getTime() + lifetimeMs };
  }
  const asked: Asked = {
    ...request,
    authorization,
    what: `a token (asked at ${realm.host})`,
    missing: 'REGISTRY_REFUSED',
  };
  const body = answer.body instanceof Uint8Array ? answer.body : new Uint8Array();
  const retryAfter = answer.headers.get('retry-after') ?? undefined;
  throw refused({ status: answer.status, retryAfter, body, url: realm }, asked, true, host);
}

/**
 * Opens the keeper of tokens: one per realm, scope and repository, asked for once however many streams want
 * it, kept until shortly before it expires. Tokens stay inside; errors never show one.
 */
export function openAuthorizer(signal: AbortSignal, host: Pick<Host, 'now'>): Authorizer {
  const tokens = new Map<string, Promise<Token>>();

  async function bearer(challenge: Challenge, request: AccessRequest): Promise<Access> {
    const said = challenge.parameters.get('scope') ?? '';
    const scope = PULL_SCOPE.test(said) ? said : `repository:${request.reference.path}:pull`;
    const service = challenge.parameters.get('service') ?? '';
    // Credentials belong to a repository, so tokens do as well, whatever scope the server made of it.
    const key = [repositoryOf(request.reference), challenge.parameters.get('realm'), service, scope].join(
      '\0',
    );
    const held = tokens.get(key);
    const token = await held;
    const fresh = token !== undefined && host.now().getTime() < token.expiresMs - MARGIN_MS;
    if (fresh && token.header !== request.stale) return { header: token.header, fresh: false };
    // Another stream may have begun asking while this one looked.
    const begun = tokens.get(key);
    if (begun !== undefined && begun !== held) return { header: (await begun).header, fresh: true };
    const asking = askToken(challenge, scope, request, signal, host);
    tokens.set(key, asking);
    asking.catch(() => tokens.get(key) === asking && tokens.delete(key));
    return { header: (await asking).header, fresh: true };
  }

  return {
    authorization: async (request) => {
      const { challenges, credential } = request;
      const wanted = challenges.find(({ scheme }) => scheme === 'bearer');
      if (wanted !== undefined) return bearer(wanted, request);
      if (challenges.some(({ scheme }) => scheme === 'basic')) {
        const known = credential !== undefined && 'username' in credential;
        return { header: known ? basic(credential) : undefined, fresh: false };
      }
      if (challenges.length === 0) return { header: undefined, fresh: false };
      const schemes = [...new Set(challenges.map(({ scheme }) => scheme))].join(', ');
      const asked = { ...request, authorization: undefined, what: '', missing: 'REGISTRY_REFUSED' } as const;
      throw unauthorized(
        asked,
        `it wants the ${printable(schemes, 100)} scheme; edgefab knows Basic and Bearer`,
      );
    },
  };
}
