import { decodeDataUrl } from '../../formats/data-url.ts';

const SECRET_PATH =
  /\.key$|(?:^|\/)auth\/|\/\.docker\/config\.json$|pull-?secret|password|(?:^|\/)kubeconfig|-secret\.ya?ml$|\.nmconnection$/i;
const SECRET_TEXT = [
  /-----BEGIN [A-Z ]*PRIVATE KEY-----/,
  /"auths?"\s*:/,
  /\bclient-key-data:/,
  /^\s*kind:\s*"?Secret\b/m,
  /"kind"\s*:\s*"Secret"/,
  /\$(?:2[abxy]|5|6|y|gy)\$[^\s"']{10,}/,
  /^\s*(?:psk|password|passwd|secret|token)\s*[=:]\s*\S/im,
  /:\/\/[^\s/:@]+:[^\s/@]+@/,
];
const DATA_URL = /data:[A-Za-z0-9/;=.+-]*,[A-Za-z0-9+/=%._~:@-]*/g;

/**
 * Tells whether a file holds something that must not be shown: private keys, pull secrets, kubeconfigs,
 * password hashes; also inside the data URLs of a manifest. It errs on the side of saying yes.
 */
export function isSecretFile(path: string, bytes: Uint8Array): boolean {
  return SECRET_PATH.test(path) || hasSecret(new TextDecoder().decode(bytes), 0);
}

/** Tells whether a text (a unit, a script, a manifest) holds something that must not be shown. */
export function isSecretText(text: string): boolean {
  return hasSecret(text, 0);
}

function hasSecret(text: string, depth: number): boolean {
  if (SECRET_TEXT.some((pattern) => pattern.test(text))) return true;
  if (depth >= 3) return false;
  for (const [url] of text.matchAll(DATA_URL)) {
    let inner: Uint8Array;
    try {
      inner = decodeDataUrl(url).bytes;
    } catch {
      continue; // not a data URL after all: it was looked at as text above
    }
    if (hasSecret(new TextDecoder().decode(inner), depth + 1)) return true;
  }
  return false;
}
