import { initClient } from '@ts-rest/core';
import { EdgefabError } from '../errors.ts';
import type { Host } from '../host/host.ts';
import { type Carried, carry } from './carrier.ts';
import { type Challenge, parseChallenges } from './challenge.ts';
import { distributionContract } from './contract.ts';
import { speaksNoTls, unreachable } from './failure.ts';
import { refusalText } from './refusal.ts';
import { parseRetryAfter, transient } from './retry.ts';
import type { Transport } from './transport.ts';

/** A registry that answered: its origin and how it wants to be asked. */
export interface Session {
  readonly baseUrl: string;
  readonly challenges: readonly Challenge[];
}

const MAX_PING_BYTES = 64 * 1024;

/** Docker Hub answers its API on another host than its name. */
function apiHost(domain: string): string {
  return domain === 'docker.io' ? 'registry-1.docker.io' : domain;
}

async function ping(transport: Transport, baseUrl: string, signal: AbortSignal): Promise<Carried> {
  let carried: Carried | undefined;
  const client = initClient(distributionContract, {
    baseUrl,
    api: async (args) => {
      carried = await carry(transport, args, { maxBytes: MAX_PING_BYTES, signal });
      return carried;
    },
  });
  await client.ping();
  if (carried === undefined) throw new Error('the request ended without an answer');
  return carried;
}

function sessionOf(
  baseUrl: string,
  domain: string,
  { status, headers, body, sameOrigin }: Carried,
  now: Date,
): Session {
  if (status === 401 && sameOrigin)
    return { baseUrl, challenges: parseChallenges(headers.get('www-authenticate') ?? '') };
  // Other answers say nothing about this registry's images; the request that follows will.
  if (status !== 429 && status < 500) return { baseUrl, challenges: [] };
  const text = refusalText(body instanceof Uint8Array ? body : new Uint8Array(), {
    credential: undefined,
    authorization: undefined,
  });
  throw transient(
    new EdgefabError(`registry ${domain} answered HTTP ${status} for /v2/${text}`, {
      code: 'REGISTRY_REFUSED',
      place: { url: `${baseUrl}/v2/` },
    }),
    parseRetryAfter(headers.get('retry-after') ?? undefined, now),
  );
}

/**
 * Opens the keeper of sessions: each registry is asked `/v2/` once (distribution-spec, "Determining Support").
 * With `insecure` plain http is tried where https is not spoken. Throws REGISTRY_UNREACHABLE, REGISTRY_REFUSED.
 */
export function openSessions(
  transport: Transport,
  insecure: boolean,
  signal: AbortSignal,
  host: Pick<Host, 'now'>,
): (domain: string) => Promise<Session> {
  const sessions = new Map<string, Promise<Session>>();

  async function connect(domain: string): Promise<Session> {
    const failed = (error: unknown, baseUrl: string): unknown =>
      error instanceof EdgefabError || signal.aborted
        ? error
        : unreachable(error, domain, new URL(`${baseUrl}/v2/`));
    const secure = `https://${apiHost(domain)}`;
    try {
      return sessionOf(secure, domain, await ping(transport, secure, signal), host.now());
    } catch (error) {
      if (!insecure || !speaksNoTls(error)) throw failed(error, secure);
    }
    const plain = `http://${apiHost(domain)}`;
    try {
      return sessionOf(plain, domain, await ping(transport, plain, signal), host.now());
    } catch (error) {
      throw failed(error, plain);
    }
  }

  return (domain) => {
    const known = sessions.get(domain);
    if (known !== undefined) return known;
    const connecting = connect(domain);
    sessions.set(domain, connecting);
    connecting.catch(() => sessions.get(domain) === connecting && sessions.delete(domain));
    return connecting;
  };
}
