import { z } from 'zod';
import type { Digest } from '../../../oci/digest.ts';

/** What a release signature says, once its OpenPGP part has been verified. */
export interface AtomicSignature {
  readonly digest: string;
  /** The name it was signed under: `quay.io/openshift-release-dev/ocp-release:4.18.9-x86_64`. */
  readonly reference: string;
}

// containers/image, docs/containers-signature.5.md, "JSON data format": what is critical is known in full.
const signatureDocument = z
  .object({
    critical: z
      .object({
        type: z.literal('atomic container signature'),
        image: z.object({ 'docker-manifest-digest': z.string() }).strict(),
        identity: z.object({ 'docker-reference': z.string().min(1) }).strict(),
      })
      .strict(),
    optional: z.record(z.unknown()).nullish(),
  })
  .strict();

/**
 * Reads signed content and checks that it speaks of `wanted`. Throws an Error that says why it does not; it is
 * one of several signatures, so the caller decides whether that is fatal.
 */
export function readAtomicSignature(content: Uint8Array, wanted: Digest): AtomicSignature {
  let json: unknown;
  try {
    json = JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(content));
  } catch (cause) {
    throw new Error('what is signed is not JSON', { cause });
  }
  const parsed = signatureDocument.safeParse(json);
  if (!parsed.success) {
    const issue = parsed.error.issues[0];
    throw new Error(`what is signed: ${issue?.path.join('.') || 'document'}: ${issue?.message ?? 'invalid'}`);
  }
  const { image, identity } = parsed.data.critical;
  const digest = image['docker-manifest-digest'];
  if (digest !== wanted) throw new Error(`it signs ${digest.slice(0, 100)}`);
  return { digest, reference: identity['docker-reference'] };
}
