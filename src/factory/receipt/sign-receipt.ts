import { createHash, createPrivateKey, createPublicKey, type KeyObject, sign, verify } from 'node:crypto';
import { EdgefabError } from '../../errors.ts';
import { canonicalJson, type Json } from '../../formats/canonical-json.ts';
import { readText } from '../read-text.ts';
import type { Receipt } from './receipt.ts';

/** Names a public key: sha256, in hex, of its SubjectPublicKeyInfo (RFC 5280 section 4.1.2.7). */
function keyIdOf(key: KeyObject): string {
  const spki = key.export({ type: 'spki', format: 'der' });
  return createHash('sha256').update(spki).digest('hex');
}

/** What a signature covers: all that was known when the ISO was built. Sticks and rehearsals come later. */
function signedBytes({
  signature: _signature,
  sticks: _sticks,
  rehearsals: _rehearsals,
  ...built
}: Receipt): Uint8Array {
  return Buffer.from(canonicalJson(JSON.parse(JSON.stringify(built)) as Json));
}

/** Signs a receipt with an ed25519 key (RFC 8032): same receipt and key, same signature. */
export function signReceipt(receipt: Receipt, privateKey: KeyObject): Receipt {
  const value = sign(null, signedBytes(receipt), privateKey).toString('base64');
  const keyId = keyIdOf(createPublicKey(privateKey));
  return { ...receipt, signature: { algorithm: 'ed25519', keyId, value } };
}

/** Tells whether a receipt's signature is of this key and of these very bytes. */
export function isSignedBy(receipt: Receipt, publicKey: KeyObject): boolean {
  const { signature } = receipt;
  if (signature === undefined || signature.keyId !== keyIdOf(publicKey)) return false;
  return verify(null, signedBytes(receipt), publicKey, Buffer.from(signature.value, 'base64'));
}

/** Loads the ed25519 private key receipts are signed with, PEM without a passphrase. Throws SIGNING_KEY_INVALID. */
export async function loadSigningKey(path: string): Promise<KeyObject> {
  return await loadKey(path, 'private', createPrivateKey);
}

/** Loads the ed25519 public key receipts are checked with, PEM. Throws SIGNING_KEY_INVALID. */
export async function loadVerifyKey(path: string): Promise<KeyObject> {
  return await loadKey(path, 'public', createPublicKey);
}

async function loadKey(
  path: string,
  kind: 'private' | 'public',
  parse: (pem: string) => KeyObject,
): Promise<KeyObject> {
  const make =
    kind === 'private'
      ? 'Make one with: openssl genpkey -algorithm ed25519 -out receipt.key'
      : 'Get it from the private one: openssl pkey -in receipt.key -pubout -out receipt.pub';
  const unfit = (what: string): EdgefabError =>
    new EdgefabError(`${path} ${what}, want an ed25519 ${kind} key as PEM`, {
      code: 'SIGNING_KEY_INVALID',
      suggestions: [make],
      place: { file: path },
    });
  const text = await readText(path);
  let key: KeyObject;
  try {
    key = parse(text);
  } catch {
    // The cause may quote the key.
    throw unfit('cannot be read as a key');
  }
  if (key.asymmetricKeyType !== 'ed25519') throw unfit(`holds a key of type ${key.asymmetricKeyType}`);
  return key;
}
