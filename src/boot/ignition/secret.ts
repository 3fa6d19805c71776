import { gunzipSync } from 'node:zlib';
import { encodedParts } from './encoded-parts.ts';

const SECRET_PATH =
  /\.key$|(?:^|\/)auth\/|\/\.docker\/config\.json$|pull-?secret|password|(?:^|\/)kubeconfig|-secret\.ya?ml$|\.nmconnection$/i;
const SECRET_TEXT = [
  /-----BEGIN [A-Z ]*PRIVATE KEY-----/,
  /"auths?"\s*:/,
  /\bclient-key-data["']?\s*:/,
  /^[ \t]*(?:-[ \t]+)?["']?kind["']?:[ \t]*["']?Secret\b/m,
  /"kind"\s*:\s*"Secret"/,
  // crypt(5): its own alphabet only, or every larger program would have one by chance.
  /\$(?:2[abxy]|5|6|7|y|gy|argon2id?)\$[A-Za-z0-9./=,+$-]{10}/,
  /^[ \t]*(?:-[ \t]+)?(?:psk|password|passwd|passphrase|secret|token|client-secret|bearer-token)[ \t]*[=:][ \t]*(?!["']?\$[({A-Za-z_])\S/im,
  /["'](?:psk|password|passwd|passphrase|token|secret|client_?secret|identitytoken|registrytoken)["']\s*:\s*["'][^"']/i,
  /\bpasswordHash["']?\s*:/,
  /:\/\/[^\s/:@]{1,300}:[^\s/@]{1,300}@/,
  /\bAuthorization["']?\s*[:=]\s*["']?(?:Bearer|Basic)\s+[A-Za-z0-9+/=._~-]{8}/i,
  // A JSON web token (RFC 7519: three base64url parts, the first `{"…`), and OpenShift's own token.
  /\beyJ[\w-]{8,300}\.eyJ[\w-]{8}/,
  /\bsha256~[\w-]{20}/,
];
/** A manifest with a config with a manifest: deeper than that is nothing anyone writes. */
const MAX_DEPTH = 4;
const MAX_UNPACKED_BYTES = 8 * 1024 * 1024;

/**
 * Tells whether a file holds something that must not be shown: private keys, pull secrets, kubeconfigs,
 * tokens, password hashes; also inside base64, data URLs and gzip within it. It errs on the side of saying yes.
 */
export function isSecretFile(path: string, bytes: Uint8Array): boolean {
  return SECRET_PATH.test(path) || hasSecret(bytes, 0);
}

/** Tells whether a text (a unit, a script, a manifest) holds something that must not be shown. */
export function isSecretText(text: string): boolean {
  return hasSecret(Buffer.from(text, 'utf8'), 0);
}

function hasSecret(bytes: Uint8Array, depth: number): boolean {
  if (bytes[0] === 0x1f && bytes[1] === 0x8b) {
    const unpacked = unpack(bytes);
    // What cannot be looked into may be anything.
    return unpacked === undefined || (depth < MAX_DEPTH && hasSecret(unpacked, depth + 1));
  }
  const text = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('utf8');
  if (SECRET_TEXT.some((pattern) => pattern.test(text))) return true;
  if (depth >= MAX_DEPTH) return false;
  return encodedParts(text).some((inner) => hasSecret(inner, depth + 1));
}

function unpack(bytes: Uint8Array): Uint8Array | undefined {
  try {
    return gunzipSync(bytes, { maxOutputLength: MAX_UNPACKED_BYTES });
  } catch {
    return undefined;
  }
}
