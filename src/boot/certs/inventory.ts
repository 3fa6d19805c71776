import type { Ignition } from '../ignition/ignition.ts';
import { type CertificateHorizon, certificateHorizon } from './certificate-horizon.ts';
import { certificatesIn, type FoundCertificate } from './certificates-of.ts';
import { ignitionTexts, type NamedText } from './ignition-texts.ts';
import { readPki } from './read-pki.ts';

/** Everything a config (or some files) holds in certificates; of keys only where they stand. */
export interface Inventory {
  /** The file or folder it was read from. */
  readonly where: string;
  readonly certificates: readonly FoundCertificate[];
  /** The texts that hold private keys, each once. */
  readonly keyPaths: readonly string[];
  /** Undefined when there is no certificate that could end it. */
  readonly horizon?: CertificateHorizon;
}

/** Takes stock of the certificates in some texts. Throws IGNITION_INVALID for one that cannot be read. */
export function inventoryOfTexts(texts: readonly NamedText[], where: string): Inventory {
  const pki = readPki(texts, where);
  const certificates = certificatesIn(pki);
  const horizon = certificateHorizon(certificates);
  return {
    where,
    certificates,
    keyPaths: [...new Set([...pki.keys.map(({ path }) => path), ...pki.unreadableKeys])],
    ...(horizon === undefined ? {} : { horizon }),
  };
}

/** Takes stock of the certificates of a config. Throws IGNITION_INVALID for one that cannot be read. */
export function inventory(ignition: Ignition): Inventory {
  return inventoryOfTexts(ignitionTexts(ignition), ignition.where);
}
