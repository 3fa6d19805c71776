import { createPrivateKey, randomUUID, sign } from 'node:crypto';
import * as http from 'node:http';
import type { AddressInfo } from 'node:net';
import type { MadeCertificate } from './made-certificate.ts';

export interface TokenServer {
  readonly realm: string;
  readonly service: string;
  readonly issuer: string;
  /** What was asked, in order. */
  readonly asked: { readonly method: string; readonly scope: string; readonly withCredentials: boolean }[];
  close(): Promise<void>;
}

export interface TokenServerOptions {
  readonly username: string;
  readonly password: string;
  readonly identityToken: string;
  readonly signer: MadeCertificate;
  readonly lifetimeSeconds?: number;
}

function base64url(value: string | Buffer): string {
  return Buffer.from(value).toString('base64url');
}

function accessOf(scopes: readonly string[]): object[] {
  return scopes.flatMap((scope) => {
    const [, type, name, actions = ''] = /^([a-z]+):(.+):([a-z,*]+)$/.exec(scope) ?? [];
    return type === undefined ? [] : [{ type, name, actions: actions.split(',') }];
  });
}

/**
 * Starts a token server as the distribution token spec has it: GET with Basic, POST with a refresh token; RS256
 * tokens carry their certificate (x5c), which docker-registry checks against its root bundle.
 */
export async function startTokenServer(options: TokenServerOptions): Promise<TokenServer> {
  const { username, password, identityToken, signer, lifetimeSeconds = 300 } = options;
  const asked: TokenServer['asked'] = [];
  const service = 'edgefab-test';
  const issuer = 'edgefab-test-issuer';
  const x5c = [signer.certificate.replace(/-----[^-]+-----|\s/g, '')];

  function tokenFor(subject: string, scopes: readonly string[]): string {
    const now = Math.floor(Date.now() / 1000);
    const header = { typ: 'JWT', alg: 'RS256', x5c };
    const times = { iat: now, nbf: now - 10, exp: now + lifetimeSeconds };
    const claims = {
      iss: issuer,
      sub: subject,
      aud: service,
      ...times,
      jti: randomUUID(),
      access: accessOf(scopes),
    };
    const body = `${base64url(JSON.stringify(header))}.${base64url(JSON.stringify(claims))}`;
    return `${body}.${base64url(sign('sha256', Buffer.from(body), createPrivateKey(signer.key)))}`;
  }

  const server = http.createServer(async (request, response) => {
    const url = new URL(request.url ?? '/', 'http://token');
    const chunks: Buffer[] = [];
    for await (const chunk of request) chunks.push(chunk as Buffer);
    const form = new URLSearchParams(Buffer.concat(chunks).toString());
    const query = request.method === 'POST' ? form : url.searchParams;
    const scopes = query.getAll('scope').flatMap((scope) => scope.split(' '));
    const { authorization } = request.headers;
    const wanted = `Basic ${Buffer.from(`${username}:${password}`).toString('base64')}`;
    const withCredentials = authorization !== undefined || form.has('refresh_token');
    asked.push({ method: request.method ?? '', scope: scopes.join(' '), withCredentials });
    const known =
      request.method === 'POST' ? form.get('refresh_token') === identityToken : authorization === wanted;
    if (!known || query.get('service') !== service) {
      response.writeHead(401, { 'content-type': 'application/json' });
      response.end(
        JSON.stringify({ errors: [{ code: 'UNAUTHORIZED', message: 'incorrect username or password' }] }),
      );
      return;
    }
    const token = tokenFor(username, scopes);
    response.writeHead(200, { 'content-type': 'application/json' });
    response.end(JSON.stringify({ token, access_token: token, expires_in: lifetimeSeconds }));
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    realm: `http://127.0.0.1:${(server.address() as AddressInfo).port}/token`,
    service,
    issuer,
    asked,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}
