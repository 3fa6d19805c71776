import { X509Certificate } from 'node:crypto';
import { EdgefabError } from '../../errors.ts';
import { decodePem } from '../../formats/pem.ts';
import { fileBytes } from '../ignition/file-contents.ts';
import type { Ignition } from '../ignition/ignition.ts';

/** A certificate found in a config. Names are one line, `O=x, CN=y`, most significant part as in the file. */
export interface FoundCertificate {
  /** The file of the config that holds it. */
  readonly path: string;
  /** Its place among the certificates of that file, from 0. */
  readonly index: number;
  readonly subject: string;
  readonly issuer: string;
  readonly notBefore: Date;
  readonly notAfter: Date;
  readonly kind: 'ca' | 'leaf';
}

/** `-----BEGIN CERT` in base64, as kubeconfigs and Secret manifests hold certificates. */
const ENCODED = /LS0tLS1CRUdJTiBDRVJU[A-Za-z0-9+/=]+/g;

function oneLine(name: string): string {
  return name.trim().replaceAll('\n', ', ');
}

function certificatesIn(text: string): Uint8Array[] {
  const ders: Uint8Array[] = [];
  const encoded = Array.from(text.matchAll(ENCODED), ([run]) =>
    Buffer.from(run, 'base64').toString('latin1'),
  );
  for (const each of [text, ...encoded])
    for (const block of decodePem(each)) if (block.label === 'CERTIFICATE') ders.push(block.der);
  return ders;
}

/**
 * Reads every certificate of a config: PEM files, chains and bundles, and those inside manifests and
 * kubeconfigs. Throws IGNITION_INVALID for a certificate that cannot be read.
 */
export function certificatesOf(ignition: Ignition): FoundCertificate[] {
  const out: FoundCertificate[] = [];
  for (const file of ignition.files) {
    const bytes = fileBytes(ignition, file);
    if (bytes === undefined) continue;
    for (const [index, der] of certificatesIn(Buffer.from(bytes).toString('latin1')).entries()) {
      let certificate: X509Certificate;
      try {
        certificate = new X509Certificate(der);
      } catch (cause) {
        throw new EdgefabError(
          `${ignition.where}: certificate ${index} of ${file.path} cannot be read: got ${der.length} bytes that are no X.509 certificate`,
          { code: 'IGNITION_INVALID', place: { file: ignition.where, field: file.path }, cause },
        );
      }
      out.push({
        path: file.path,
        index,
        subject: oneLine(certificate.subject),
        issuer: oneLine(certificate.issuer),
        notBefore: new Date(certificate.validFrom),
        notAfter: new Date(certificate.validTo),
        kind: certificate.ca ? 'ca' : 'leaf',
      });
    }
  }
  return out;
}
