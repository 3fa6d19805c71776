import { createHash, timingSafeEqual } from 'node:crypto';

/** Who may read. A bearer server judges the token itself; `realm` is where clients are sent for one. */
export type ServerAccess =
  | { readonly kind: 'basic'; readonly username: string; readonly password: string }
  | {
      readonly kind: 'bearer';
      readonly realm: string;
      readonly service: string;
      /** `repository` is undefined for `/v2/` itself. */
      accepts(token: string, repository: string | undefined): boolean;
    };

function equal(a: string, b: string): boolean {
  const hash = (text: string): Buffer => createHash('sha256').update(text).digest();
  return timingSafeEqual(hash(a), hash(b));
}

/** Judges a request: undefined lets it through, otherwise the WWW-Authenticate to answer 401 with. */
export function challengeFor(
  access: ServerAccess | undefined,
  authorization: string | undefined,
  repository: string | undefined,
): string | undefined {
  if (access === undefined) return undefined;
  const [, scheme = '', value = ''] = /^(\S+) +(\S+)$/.exec(authorization ?? '') ?? [];
  switch (access.kind) {
    case 'basic': {
      const wanted = Buffer.from(`${access.username}:${access.password}`).toString('base64');
      return scheme.toLowerCase() === 'basic' && equal(value, wanted) ? undefined : 'Basic realm="edgefab"';
    }
    case 'bearer': {
      if (scheme.toLowerCase() === 'bearer' && access.accepts(value, repository)) return undefined;
      const scope = repository === undefined ? '' : `,scope="repository:${repository}:pull"`;
      return `Bearer realm="${access.realm}",service="${access.service}"${scope}`;
    }
    default:
      return access satisfies never;
  }
}
