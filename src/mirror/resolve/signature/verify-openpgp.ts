import { createReadStream } from 'node:fs';
import { readFile, stat } from 'node:fs/promises';
import { Readable } from 'node:stream';
import type { ReadableStream } from 'node:stream/web';
import type { Key } from 'openpgp';
import { EdgefabError } from '../../../errors.ts';
import type { Host } from '../../../host/host.ts';

/** Public keys whose signatures are trusted. */
export interface Keyring {
  readonly where: string;
  readonly keys: readonly Key[];
  /** In upper-case hex, as gpg prints them. */
  readonly fingerprints: readonly string[];
}

export interface VerifiedMessage {
  readonly content: Uint8Array;
  /** The primary key's fingerprint, in upper-case hex. */
  readonly signedBy: string;
}

const MAX_KEYRING_BYTES = 1024 * 1024;
/** Signed content is some 330 bytes. */
const MAX_CONTENT_BYTES = 64 * 1024;
const ARMOUR = /-----BEGIN PGP PUBLIC KEY BLOCK-----[\s\S]*?-----END PGP PUBLIC KEY BLOCK-----/g;

// Loaded on first use: it is the largest library here, and most commands verify nothing.
const library = () => import('openpgp');

/**
 * Reads public keys, armoured (any number of blocks in a file) or binary. Throws KEYRING_INVALID when there is no
 * key in it, or a secret one.
 */
export async function parseKeyring(bytes: Uint8Array, where: string): Promise<Keyring> {
  const bad = (what: string, cause?: unknown): EdgefabError =>
    new EdgefabError(`keyring ${where}: ${what}`, {
      code: 'KEYRING_INVALID',
      place: { file: where },
      suggestions: ['Export public keys with gpg --export, with or without --armor'],
      ...(cause === undefined ? {} : { cause }),
    });
  const { readKeys } = await library();
  const text = Buffer.from(bytes).toString('latin1');
  const blocks = text.match(ARMOUR) ?? [];
  const keys: Key[] = [];
  try {
    for (const armoredKeys of blocks) keys.push(...(await readKeys({ armoredKeys })));
    if (blocks.length === 0 && bytes.length > 0 && !text.startsWith('-----'))
      keys.push(...(await readKeys({ binaryKeys: bytes })));
  } catch (cause) {
    throw bad(cause instanceof Error ? cause.message : 'it cannot be read', cause);
  }
  if (keys.length === 0) throw bad(`its ${bytes.length} bytes hold no public key`);
  if (keys.some((key) => key.isPrivate())) throw bad('it holds a secret key, which does not belong here');
  return { where, keys, fingerprints: keys.map((key) => key.getFingerprint().toUpperCase()) };
}

/** Reads a file of public keys. Throws FILE_UNREADABLE, KEYRING_INVALID. */
export async function loadKeyring(file: string): Promise<Keyring> {
  let bytes: Buffer;
  try {
    const { size } = await stat(file);
    if (size > MAX_KEYRING_BYTES)
      throw new EdgefabError(`keyring ${file} has ${size} bytes, want at most ${MAX_KEYRING_BYTES}`, {
        code: 'KEYRING_INVALID',
        place: { file },
      });
    bytes = await readFile(file);
  } catch (cause) {
    if (cause instanceof EdgefabError) throw cause;
    throw new EdgefabError(`keyring ${file} cannot be read`, {
      code: 'FILE_UNREADABLE',
      place: { file },
      cause,
    });
  }
  return parseKeyring(bytes, file);
}

/**
 * Verifies a signed OpenPGP message (content and signature in one, RFC 9580 section 10.3) against a keyring.
 * The key must have been valid when it signed; content is bounded also when compressed. Throws an Error that
 * says why it is not trusted; it is one of several signatures, so the caller decides whether that is fatal.
 */
export async function verifyOpenpgpMessage(
  message: Uint8Array,
  keyring: Keyring,
  { now }: Pick<Host, 'now'>,
): Promise<VerifiedMessage> {
  const { readMessage, verify } = await library();
  const config = { maxDecompressedMessageSize: MAX_CONTENT_BYTES };
  const { data, signatures } = await verify({
    message: await readMessage({ binaryMessage: message, config }),
    verificationKeys: [...keyring.keys],
    format: 'binary',
    date: now(),
    config,
  });
  if (data.length > MAX_CONTENT_BYTES)
    throw new Error(`it signs ${data.length} bytes, want at most ${MAX_CONTENT_BYTES}`);
  return { content: data, signedBy: await trustedSigner(signatures, keyring) };
}

interface SignatureCheck {
  readonly keyID: Parameters<Key['getKeys']>[0];
  readonly verified: Promise<unknown>;
}

/** Gives the fingerprint of the first signer the keyring knows. Throws why none is. */
async function trustedSigner(signatures: readonly SignatureCheck[], keyring: Keyring): Promise<string> {
  let refusal: unknown = new Error('it is not signed');
  for (const { keyID, verified } of signatures) {
    try {
      await verified;
      const signer = keyring.keys.find((key) => key.getKeys(keyID).length > 0);
      if (signer !== undefined) return signer.getFingerprint().toUpperCase();
    } catch (error) {
      refusal = error;
    }
  }
  throw refusal;
}

const ARMOURED_SIGNATURE = '-----BEGIN PGP SIGNATURE-----';
const ARMOURED_MESSAGE = '-----BEGIN PGP MESSAGE-----';
/** RFC 9580 section 5: what a detached signature begins with, and nothing else does. */
const SIGNATURE_PACKET = 2;

function firstPacket(bytes: Uint8Array): number | undefined {
  const [tag = 0] = bytes;
  if ((tag & 0x80) === 0) return undefined;
  return (tag & 0x40) === 0 ? (tag & 0x3c) >> 2 : tag & 0x3f;
}

/** A signature's packets, without the armour it may be in. */
async function unarmoured(signature: Uint8Array): Promise<Uint8Array> {
  const text = Buffer.from(signature).toString('latin1');
  if (!text.startsWith(ARMOURED_SIGNATURE) && !text.startsWith(ARMOURED_MESSAGE)) return signature;
  const { unarmor } = await library();
  return new Uint8Array((await unarmor(text)).data as Uint8Array);
}

/**
 * Verifies the signature that lies beside a small file: a detached one, or a signed message that must hold the
 * same bytes; armoured or binary. Gives the signer's fingerprint, in upper-case hex. Throws an Error that says
 * why it is not trusted.
 */
export async function verifyFileSignature(
  file: Uint8Array,
  signature: Uint8Array,
  keyring: Keyring,
  host: Pick<Host, 'now'>,
): Promise<string> {
  const bytes = await unarmoured(signature);
  if (firstPacket(bytes) !== SIGNATURE_PACKET) {
    const { content, signedBy } = await verifyOpenpgpMessage(bytes, keyring, host);
    if (!Buffer.from(content).equals(file)) throw new Error('it signs other bytes than those beside it');
    return signedBy;
  }
  const { createMessage, readSignature, verify } = await library();
  const { signatures } = await verify({
    message: await createMessage({ binary: Uint8Array.from(file) }),
    signature: await readSignature({ binarySignature: bytes }),
    verificationKeys: [...keyring.keys],
    format: 'binary',
    date: host.now(),
  });
  return await trustedSigner(signatures, keyring);
}

/**
 * Verifies the detached signature of a file of any size, which is read as it flows. Gives the signer's
 * fingerprint, in upper-case hex. Throws an Error that says why it is not trusted.
 */
export async function verifyLargeFile(
  path: string,
  signature: Uint8Array,
  keyring: Keyring,
  host: Pick<Host, 'now'>,
): Promise<string> {
  const bytes = await unarmoured(signature);
  if (firstPacket(bytes) !== SIGNATURE_PACKET) throw new Error('it is no detached OpenPGP signature');
  const { createMessage, readSignature, verify } = await library();
  const source = createReadStream(path, { highWaterMark: 1024 * 1024 });
  try {
    const binary = Readable.toWeb(source) as ReadableStream<Uint8Array>;
    const { data, signatures } = await verify({
      message: await createMessage({ binary }),
      signature: await readSignature({ binarySignature: bytes }),
      verificationKeys: [...keyring.keys],
      format: 'binary',
      date: host.now(),
    });
    // They are looked at below, once everything was read.
    for (const { verified } of signatures) verified.catch(() => {});
    const reader = data.getReader();
    while (!(await reader.read()).done);
    return await trustedSigner(signatures, keyring);
  } finally {
    source.destroy();
  }
}
