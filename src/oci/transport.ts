import { X509Certificate } from 'node:crypto';
import * as http from 'node:http';
import * as https from 'node:https';
import { createSecureContext, getCACertificates } from 'node:tls';
import { EdgefabError } from '../errors.ts';

/** The connections of one client: shared by got (small answers) and by blob bodies. */
export interface Transport {
  readonly httpAgent: http.Agent;
  readonly httpsAgent: https.Agent;
  readonly stallTimeoutMs: number;
  close(): void;
}

export interface TransportOptions {
  readonly insecure: boolean;
  readonly certificateAuthorities: readonly string[];
  readonly stallTimeoutMs: number;
}

export const USER_AGENT = 'edgefab';

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

/** Opens keep-alive agents; extra authorities are trusted besides those Node trusts. Throws USAGE_INVALID. */
export function openTransport(options: TransportOptions): Transport {
  const extra = options.certificateAuthorities.map(checkAuthority);
  // One context for all connections: reading some 150 roots again for each would cost milliseconds.
  const secureContext =
    extra.length === 0 ? undefined : createSecureContext({ ca: [...getCACertificates('default'), ...extra] });
  const httpAgent = new http.Agent({ keepAlive: true });
  const httpsAgent = new https.Agent({
    keepAlive: true,
    rejectUnauthorized: !options.insecure,
    ...(secureContext === undefined ? {} : { secureContext }),
  });
  return {
    httpAgent,
    httpsAgent,
    stallTimeoutMs: options.stallTimeoutMs,
    close: () => {
      httpAgent.destroy();
      httpsAgent.destroy();
    },
  };
}
