import { createHash } from 'node:crypto';
import { EdgefabError } from '../errors.ts';
import { printable } from './printable.ts';

declare const digestBrand: unique symbol;

/** A checked `sha256:` + 64 lower-case hex characters; only `parseDigest` and `digestOf` make one. */
export type Digest = string & { readonly [digestBrand]: true };

const SHA256 = /^sha256:[0-9a-f]{64}$/;

/** Tells whether a text is a sha256 digest (OCI image-spec, descriptor.md, "Digests"). */
export function isDigest(text: string): text is Digest {
  return SHA256.test(text);
}

/** Parses a digest; sha256 is the only algorithm the store keeps. Throws DIGEST_INVALID. */
export function parseDigest(text: string): Digest {
  if (!isDigest(text)) {
    throw new EdgefabError(
      `"${printable(text, 100)}" is not a digest: want sha256: and 64 lower-case hex characters`,
      { code: 'DIGEST_INVALID' },
    );
  }
  return text;
}

/** Hashes bytes held in memory; blobs are hashed as they stream instead. */
export function digestOf(bytes: Uint8Array): Digest {
  return parseDigest(`sha256:${createHash('sha256').update(bytes).digest('hex')}`);
}

/** The 64 hex characters, the file name under `blobs/sha256/`. */
export function digestHex(digest: Digest): string {
  return digest.slice('sha256:'.length);
}
