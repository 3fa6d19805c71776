import { EdgefabError } from '../../../errors.ts';
import type { Host } from '../../../host/host.ts';
import type { Digest } from '../../../oci/digest.ts';
import { readAtomicSignature } from './atomic-signature.ts';
import type { SignatureStore } from './signature-store.ts';
import { type Keyring, verifyOpenpgpMessage } from './verify-openpgp.ts';

export interface ReleaseSignature {
  /** As stored: what a cluster's own verifier can be given. */
  readonly bytes: Uint8Array;
  /** `signature-1`, and the store it lies in. */
  readonly where: string;
  readonly signedBy: string;
  /** The name the release was signed under. */
  readonly reference: string;
}

export interface VerifyReleaseOptions {
  readonly stores: readonly SignatureStore[];
  readonly keyring: Keyring;
  readonly signal?: AbortSignal;
}

/** A store that gives one signature after another must end (the cluster-version-operator's bound). */
const MAX_SIGNATURES = 9;

/**
 * Verifies that a release image is signed by a key of the keyring, asking the stores in order, each for
 * `signature-1` and on until it has no more; the first signature that holds is enough. `digest` is that of
 * the list where the release is one. Throws SIGNATURE_MISSING when no store has any, SIGNATURE_INVALID when
 * none of those found holds, and a store's own error when no other store settles it.
 */
export async function verifyReleaseSignature(
  digest: Digest,
  { stores, keyring, signal }: VerifyReleaseOptions,
  host: Pick<Host, 'now'>,
): Promise<ReleaseSignature> {
  const refusals: string[] = [];
  let storeFault: unknown;
  for (const store of stores) {
    try {
      for (let number = 1; number <= MAX_SIGNATURES; number += 1) {
        const bytes = await store.get(digest, number, signal);
        if (bytes === undefined) break;
        const where = `signature-${number} in ${store.where}`;
        try {
          const { content, signedBy } = await verifyOpenpgpMessage(bytes, keyring, host);
          const { reference } = readAtomicSignature(content, digest);
          return { bytes, where, signedBy, reference };
        } catch (error) {
          const why = error instanceof Error ? error.message : 'it cannot be read';
          refusals.push(`${where}: ${why}`);
        }
      }
    } catch (error) {
      if (signal?.aborted) throw signal.reason;
      storeFault ??= error;
    }
  }
  if (refusals.length > 0)
    throw new EdgefabError(
      `release ${digest} has no signature that ${keyring.where} (${keyring.fingerprints.join(', ')}) vouches for:\n${refusals.map((each) => `  ${each}`).join('\n')}`,
      {
        code: 'SIGNATURE_INVALID',
        suggestions: [
          'Check that the keyring holds the key of the publisher of this release',
          'If it does, the release or the store is not what it claims to be: do not install it',
        ],
      },
    );
  if (storeFault !== undefined) throw storeFault;
  throw new EdgefabError(
    `release ${digest} is not signed: no signature in ${stores.map(({ where }) => where).join(', ') || 'any store, as none is given'}`,
    {
      code: 'SIGNATURE_MISSING',
      suggestions: [
        'Nightlies, candidates of CI and most OKD releases are not signed this way',
        'Give the store that has it, or pass --insecure-skip-signatures to trust the registry alone',
      ],
    },
  );
}
