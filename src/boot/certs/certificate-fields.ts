import type { X509Certificate } from 'node:crypto';
import { derObjectIdentifier } from '../../formats/der.ts';
import { type DerValue, readDer, readObjectIdentifier } from '../../formats/der-reader.ts';

/** The values inside a constructed one; none when it is absent or not constructed. */
export function derItems(value: DerValue | undefined): DerValue[] {
  return value === undefined ? [] : (readDer(value.content) ?? []);
}

/** The fields of tbsCertificate after the optional version (RFC 5280 section 4.1): serial, algorithm, issuer, … */
function fieldsOf(certificate: X509Certificate): DerValue[] {
  const [whole] = readDer(certificate.raw) ?? [];
  const fields = derItems(derItems(whole)[0]);
  return fields[0]?.tag === 0xa0 ? fields.slice(1) : fields;
}

/** The subject of a certificate in the very bytes it has there: an issuer must repeat them. */
export function subjectName(certificate: X509Certificate): Uint8Array {
  return fieldsOf(certificate)[4]?.whole ?? new Uint8Array();
}

/** The issuer of a certificate in the very bytes it has there. */
export function issuerName(certificate: X509Certificate): Uint8Array {
  return fieldsOf(certificate)[2]?.whole ?? new Uint8Array();
}

/** extensions is [3] EXPLICIT SEQUENCE OF { id, critical DEFAULT FALSE, OCTET STRING }. */
function extensionsOf(certificate: X509Certificate): DerValue[] {
  return derItems(derItems(fieldsOf(certificate).find(({ tag }) => tag === 0xa3))[0]);
}

/** Lists the critical extensions of a certificate by their dotted object identifiers. */
export function criticalExtensions(certificate: X509Certificate): string[] {
  return extensionsOf(certificate).flatMap((each) => {
    const [name, critical, value] = derItems(each);
    return name !== undefined && value !== undefined && critical?.content[0] === 0xff
      ? [readObjectIdentifier(name.content)]
      : [];
  });
}

/** The value of an extension, as DER; undefined when the certificate has none such. */
export function extensionValue(certificate: X509Certificate, oid: string): DerValue | undefined {
  const id = Buffer.from(derObjectIdentifier(oid));
  for (const each of extensionsOf(certificate)) {
    const [name, ...rest] = derItems(each);
    if (name !== undefined && id.equals(name.whole)) return derItems(rest.at(-1))[0];
  }
  return undefined;
}
