import { initClient } from '@ts-rest/core';
import { EdgefabError } from '../errors.ts';
import type { Host } from '../host/host.ts';
import { type Carried, carry } from './carrier.ts';
import { type Challenge, parseChallenges } from './challenge.ts';
import { distributionContract } from './contract.ts';
import { speaksNoTls, unreachable } from './failure.ts';
import { limitsRate, refusalText } from './refusal.ts';
import { parseRetryAfter, transient } from './retry.ts';
import { apiHost, type Transport, type Transports } from './transport.ts';

/** A registry that answered: its connections, its origin and how it wants to be asked. */
export interface Session {
  readonly transport: Transport;
  readonly baseUrl: string;
  readonly challenges: readonly Challenge[];
}

const MAX_PING_BYTES = 64 * 1024;

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
  transport: Transport,
  baseUrl: string,
  domain: string,
  { status, headers, body, sameOrigin }: Carried,
  now: Date,
): Session {
  const bytes = body instanceof Uint8Array ? body : new Uint8Array();
  const limited = limitsRate(status, bytes);
  if (status === 401 && sameOrigin && !limited)
    return { transport, baseUrl, challenges: parseChallenges(headers.get('www-authenticate') ?? '') };
  // Other answers say nothing about this registry's images; the request that follows will.
  if (!limited && status < 500) return { transport, baseUrl, challenges: [] };
  const text = refusalText(bytes, {
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
 * An insecure one is asked by plain http where https is not spoken. Throws REGISTRY_UNREACHABLE,
 * REGISTRY_REFUSED and what reading the registry's certificates throws.
 */
export function openSessions(
  transports: Transports,
  signal: AbortSignal,
  host: Pick<Host, 'now'>,
): (domain: string, insecure: boolean) => Promise<Session> {
  const sessions = new Map<string, Promise<Session>>();

  async function connect(domain: string, insecure: boolean): Promise<Session> {
    const transport = await transports.open(domain, insecure);
    const attempt = async (baseUrl: string): Promise<Session> =>
      sessionOf(transport, baseUrl, domain, await ping(transport, baseUrl, signal), host.now());
    const failed = (error: unknown, baseUrl: string): unknown =>
      error instanceof EdgefabError || signal.aborted
        ? error
        : unreachable(error, domain, new URL(`${baseUrl}/v2/`));
    const secure = `https://${apiHost(domain)}`;
    try {
      return await attempt(secure);
    } catch (error) {
      if (!insecure || !speaksNoTls(error)) throw failed(error, secure);
    }
    const plain = `http://${apiHost(domain)}`;
    try {
      return await attempt(plain);
    } catch (error) {
      throw failed(error, plain);
    }
  }

  return (domain, insecure) => {
    const key = `${domain} ${insecure}`;
    const known = sessions.get(key);
    if (known !== undefined) return known;
    const connecting = connect(domain, insecure);
    sessions.set(key, connecting);
    connecting.catch(() => sessions.get(key) === connecting && sessions.delete(key));
    return connecting;
  };
}
