import type { Validity } from './sign-certificate.ts';

/** One certificate that was made again. */
export interface CertificateChange {
  readonly subject: string;
  readonly kind: 'ca' | 'leaf';
  readonly keyType: string;
  /** Where it stands, every copy. */
  readonly paths: readonly string[];
  readonly before: Validity;
  readonly after: Validity;
  readonly signedBy: string;
  readonly sha256: { readonly before: string; readonly after: string };
}
