import type { FoundCertificate } from './certificates-of.ts';

/** Until when every certificate is good, and which of them end first. */
export interface CertificateHorizon {
  readonly notAfter: Date;
  /** Those that end at that very second. */
  readonly certificates: readonly FoundCertificate[];
}

/** Finds when the first of some certificates ends: the media must boot before. Undefined for none. */
export function certificateHorizon(
  certificates: readonly FoundCertificate[],
): CertificateHorizon | undefined {
  if (certificates.length === 0) return undefined;
  const first = certificates.reduce((least, each) => Math.min(least, each.notAfter.getTime()), Infinity);
  return {
    notAfter: new Date(first),
    certificates: certificates.filter((each) => each.notAfter.getTime() === first),
  };
}
