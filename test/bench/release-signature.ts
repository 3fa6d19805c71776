import type { Digest } from '../../src/oci/digest.ts';

export interface ReleaseSignature {
  /** The public key, armoured. */
  readonly key: string;
  /** The signed message as a signature store serves it. */
  readonly message: Buffer;
}

/** Signs a release image with a key made for it (containers/image, docs/containers-signature.5.md). */
export async function signRelease(digest: Digest, reference: string): Promise<ReleaseSignature> {
  const { createMessage, generateKey, readPrivateKey, sign } = await import('openpgp');
  const statement = {
    critical: {
      type: 'atomic container signature',
      image: { 'docker-manifest-digest': digest },
      identity: { 'docker-reference': reference },
    },
    optional: {},
  };
  const { privateKey, publicKey } = await generateKey({
    type: 'rsa',
    rsaBits: 2048,
    userIDs: [{ name: 'Bench', email: 'bench@example.test' }],
    format: 'armored',
  });
  const signed = await sign({
    message: await createMessage({ binary: Buffer.from(JSON.stringify(statement)) }),
    signingKeys: await readPrivateKey({ armoredKey: privateKey }),
    format: 'binary',
  });
  return { key: publicKey, message: Buffer.from(signed as Uint8Array) };
}
