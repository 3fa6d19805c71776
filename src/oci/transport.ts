import { X509Certificate } from 'node:crypto';
import type * as http from 'node:http';
import type * as https from 'node:https';
import { createSecureContext, getCACertificates, type SecureContext } from 'node:tls';
import { EdgefabError } from '../errors.ts';
import { openAgents } from './agents.ts';
import { NO_PROXIES, type ProxySettings } from './proxy-settings.ts';
import type { RegistryCertificates } from './registry-certificates.ts';

/** The connections for one registry: shared by small answers and blob bodies. */
export interface Transport {
  readonly httpAgent: http.Agent;
  readonly httpsAgent: https.Agent;
  readonly stallTimeoutMs: number;
}

export interface TransportsOptions {
  readonly certificateAuthorities: readonly string[];
  /** What is to be trusted and shown besides, by registry (HOST:PORT). */
  readonly certificatesFor: (domain: string) => Promise<RegistryCertificates>;
  readonly proxies?: ProxySettings | undefined;
  readonly stallTimeoutMs: number;
}

/** Keeps the connections of a client, by registry. */
export interface Transports {
  /** Throws what reading the registry's certificates throws. */
  open(domain: string, insecure: boolean): Promise<Transport>;
  close(): void;
}

export const USER_AGENT = 'edgefab';

/** Docker Hub answers its API on another host than its name. */
export function apiHost(domain: string): string {
  return domain === 'docker.io' ? 'registry-1.docker.io' : domain;
}

function checkAuthority(pem: string, at: number): string {
  try {
    new X509Certificate(pem);
    return pem;
  } catch (cause) {
    // tls would ignore it without a word.
    throw new EdgefabError(`certificate authority ${at + 1} is not a PEM certificate`, {
      code: 'USAGE_INVALID',
      cause,
    });
  }
}

/**
 * The TLS contexts for a registry. Its authorities also count for where it sends us (token server, content
 * server), which a private registry's own authority often signed; its client certificate is for itself alone.
 */
function contextsOf(
  domain: string,
  { authorities, client }: RegistryCertificates,
  extra: readonly string[],
): (hostname: string, port: number) => SecureContext | undefined {
  const trusted = [...extra, ...authorities];
  if (trusted.length === 0 && client.length === 0) return () => undefined;
  // One context for all connections: reading some 150 roots again for each would cost milliseconds.
  const ca = trusted.length === 0 ? {} : { ca: [...getCACertificates('default'), ...trusted] };
  const everywhere = trusted.length === 0 ? undefined : createSecureContext(ca);
  if (client.length === 0) return () => everywhere;
  const own = createSecureContext({
    ...ca,
    cert: client.map(({ certificate }) => certificate),
    key: client.map(({ key }) => key),
  });
  const { hostname, port } = new URL(`https://${apiHost(domain)}`);
  const ownHost = hostname.replace(/^\[|\]$/g, '');
  return (host, at) => (host === ownHost && at === Number(port || 443) ? own : everywhere);
}

/**
 * Opens the keeper of connections: keep-alive agents for each registry, with its certificates, through the
 * proxies. `certificateAuthorities` are trusted for all, besides those Node trusts. Throws USAGE_INVALID.
 */
export function openTransports(options: TransportsOptions): Transports {
  const { proxies = NO_PROXIES, stallTimeoutMs } = options;
  const extra = options.certificateAuthorities.map(checkAuthority);
  const open = new Map<string, Promise<Transport>>();

  async function make(domain: string, insecure: boolean): Promise<Transport> {
    const contextFor = contextsOf(domain, await options.certificatesFor(domain), extra);
    const agents = openAgents({ proxies, stallTimeoutMs, insecure, contextFor });
    return { httpAgent: agents.http, httpsAgent: agents.https, stallTimeoutMs };
  }

  return {
    open: (domain, insecure) => {
      const key = `${domain} ${insecure}`;
      const made = open.get(key) ?? make(domain, insecure);
      open.set(key, made);
      return made;
    },
    close: () => {
      for (const made of open.values())
        made.then(
          ({ httpAgent, httpsAgent }) => {
            httpAgent.destroy();
            httpsAgent.destroy();
          },
          () => {},
        );
    },
  };
}
