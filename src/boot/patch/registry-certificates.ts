import { EdgefabError } from '../../errors.ts';
import { decodePem } from '../../formats/pem.ts';

/** What the registry on the machine shows itself with; the CA's key is not among it, and stays where it is. */
export interface RegistryCertificates {
  readonly caPem: string;
  /** The server's certificate for `localhost`, 127.0.0.1 and ::1. */
  readonly certificatePem: string;
  readonly keyPem: string;
}

function refuse(what: string, want: string, labels: readonly string[]): EdgefabError {
  const got = labels.length === 0 ? 'no PEM block' : labels.join(', ');
  return new EdgefabError(`${what}: got ${got}, want ${want}`, { code: 'CERTIFICATES_INVALID' });
}

/**
 * Makes sure that certificates hold certificates and the key file one private key, so that no CA key enters a
 * config by mistake. Throws CERTIFICATES_INVALID, never with bytes of a key.
 */
export function checkRegistryCertificates(certificates: RegistryCertificates): void {
  const labels = (pem: string): string[] => decodePem(pem).map(({ label }) => label);
  for (const [what, pem] of [
    ["the registry's CA", certificates.caPem],
    ["the registry's certificate", certificates.certificatePem],
  ] as const) {
    const found = labels(pem);
    if (found.length === 0 || found.some((label) => label !== 'CERTIFICATE'))
      throw refuse(what, 'CERTIFICATE blocks only', found);
  }
  const keys = labels(certificates.keyPem);
  if (keys.length !== 1 || !/^(?:EC |RSA )?PRIVATE KEY$/.test(keys[0] ?? ''))
    throw refuse("the registry's key", 'one unencrypted PRIVATE KEY block', keys);
}
