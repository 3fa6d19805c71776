import type { FoundCertificate } from './certificates-of.ts';

/** Until when every certificate is good, and which of them end first. */
export interface CertificateHorizon {
  readonly notAfter: Date;
  /** Those that end at that very second. */
  readonly certificates: readonly FoundCertificate[];
}

/**
 * Finds when the first of some certificates ends: the media must boot before. A CA that only lets others be
 * trusted does not count, since a company's bundle of hundreds always holds one that ended. Undefined for none.
 */
export function certificateHorizon(
  certificates: readonly FoundCertificate[],
): CertificateHorizon | undefined {
  const own = certificates.filter(({ outside }) => !outside);
  if (own.length === 0) return undefined;
  const first = own.reduce((least, each) => Math.min(least, each.notAfter.getTime()), Infinity);
  return {
    notAfter: new Date(first),
    certificates: own.filter((each) => each.notAfter.getTime() === first),
  };
}
