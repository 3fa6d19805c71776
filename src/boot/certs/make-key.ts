import { createECDH, createPrivateKey, type KeyObject } from 'node:crypto';
import type { Host } from '../../host/host.ts';

/** The order of the group of P-256 (SP 800-186 section 3.2.1.3). */
const ORDER = 0xffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551n;

/**
 * Makes a P-256 key from 48 random bytes (FIPS 186-5 appendix A.2.1: 64 bits more than the order has, so that
 * no key is likelier than another). P-256 is read by Go, GnuTLS and OpenSSL of every release, in FIPS mode too,
 * and its certificates are a third of RSA's size.
 */
export function makeKey({ randomBytes }: Pick<Host, 'randomBytes'>): KeyObject {
  const random = BigInt(`0x${Buffer.from(randomBytes(48)).toString('hex')}`);
  const secret = Buffer.from(((random % (ORDER - 1n)) + 1n).toString(16).padStart(64, '0'), 'hex');
  const curve = createECDH('prime256v1');
  curve.setPrivateKey(secret);
  const point = curve.getPublicKey();
  const coordinate = (start: number): string => point.subarray(start, start + 32).toString('base64url');
  return createPrivateKey({
    key: { kty: 'EC', crv: 'P-256', d: secret.toString('base64url'), x: coordinate(1), y: coordinate(33) },
    format: 'jwk',
  });
}
