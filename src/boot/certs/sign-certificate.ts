import { createHash, type KeyObject, sign } from 'node:crypto';
import {
  derBitString,
  derContext,
  derObjectIdentifier,
  derSequence,
  derSetOfOne,
  derTime,
  derUnsigned,
  derUtf8String,
} from '../../formats/der.ts';
import { readDer } from '../../formats/der-reader.ts';

// RFC 5758 section 3.2: with ECDSA the parameters are absent; RFC 4055 section 5: with RSA they are NULL.
const ECDSA_SHA256 = derSequence(derObjectIdentifier('1.2.840.10045.4.3.2'));
const RSA_SHA256 = derSequence(derObjectIdentifier('1.2.840.113549.1.1.11'), Buffer.of(0x05, 0x00));
const ORGANIZATION = '2.5.4.10';
const COMMON_NAME = '2.5.4.3';

/** From when to when a certificate is good, whole seconds. */
export interface Validity {
  readonly notBefore: Date;
  readonly notAfter: Date;
}

/** What a certificate is to say. `subject` and `issuer` are DER names. */
export interface CertificateContent {
  readonly subject: Uint8Array;
  readonly issuer: Uint8Array;
  readonly validity: Validity;
  readonly publicKey: KeyObject;
  readonly extensions: readonly Uint8Array[];
}

/** Encodes the name `O=…, CN=…`. */
export function certificateName(organization: string, commonName: string): Uint8Array {
  const attribute = (oid: string, text: string): Uint8Array =>
    derSetOfOne(derSequence(derObjectIdentifier(oid), derUtf8String(text)));
  return derSequence(attribute(ORGANIZATION, organization), attribute(COMMON_NAME, commonName));
}

function publicKeyInfo(publicKey: KeyObject): Buffer {
  return publicKey.export({ type: 'spki', format: 'der' });
}

/** Names a key as RFC 5280 section 4.2.1.2 proposes: SHA-1 of its bits, 20 bytes. It is a name, not a proof. */
export function keyIdentifier(publicKey: KeyObject): Uint8Array {
  const [info] = readDer(publicKeyInfo(publicKey)) ?? [];
  const bits = readDer(info?.content ?? Buffer.alloc(0))?.[1]?.content ?? Buffer.alloc(0);
  return createHash('sha1').update(bits.subarray(1)).digest();
}

/**
 * Makes a certificate and signs it with SHA-256. Its serial number is 20 bytes of the SHA-256 of all else it
 * says, so that the same content has the same number and no other content has. Returns DER.
 */
export function signCertificate(content: CertificateContent, issuerKey: KeyObject): Uint8Array {
  const algorithm = issuerKey.asymmetricKeyType === 'rsa' ? RSA_SHA256 : ECDSA_SHA256;
  const { validity } = content;
  const rest = [
    algorithm,
    content.issuer,
    derSequence(derTime(validity.notBefore), derTime(validity.notAfter)),
    content.subject,
    publicKeyInfo(content.publicKey),
    derContext(3, derSequence(...content.extensions), 'constructed'),
  ];
  const serial = createHash('sha256').update(Buffer.concat(rest)).digest().subarray(0, 20);
  // RFC 5280 section 4.1.2.2: positive, not zero, at most 20 bytes: so the first bit is off and the second on.
  serial[0] = ((serial[0] ?? 0) & 0x7f) | 0x40;
  const version3 = derContext(0, derUnsigned(Buffer.of(2)), 'constructed');
  const toSign = derSequence(version3, derUnsigned(serial), ...rest);
  return derSequence(toSign, algorithm, derBitString(sign('sha256', toSign, issuerKey)));
}
