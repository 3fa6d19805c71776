import type { X509Certificate } from 'node:crypto';
import { derObjectIdentifier } from '../../formats/der.ts';
import { type DerValue, readDer } from '../../formats/der-reader.ts';

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

/** The value of an extension, as DER; undefined when the certificate has none such. */
export function extensionValue(certificate: X509Certificate, oid: string): DerValue | undefined {
  const id = Buffer.from(derObjectIdentifier(oid));
  // extensions is [3] EXPLICIT SEQUENCE OF { id, critical DEFAULT FALSE, OCTET STRING }.
  const extensions = derItems(fieldsOf(certificate).find(({ tag }) => tag === 0xa3))[0];
  for (const each of derItems(extensions)) {
    const [name, ...rest] = derItems(each);
    if (name !== undefined && id.equals(name.whole)) return derItems(rest.at(-1))[0];
  }
  return undefined;
}
