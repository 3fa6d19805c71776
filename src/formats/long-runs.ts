const BASE64 = new Uint8Array(256);
for (const character of 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/=') {
  BASE64[character.charCodeAt(0)] = 1;
}

/**
 * Cuts every run of base64 characters longer than `most` bytes to its first one. Such a run lies within one YAML
 * scalar, whatever its style, so the structure of the text stays as it is. (A regular expression would overflow
 * the stack on runs of megabytes.)
 */
export function withoutLongRuns(bytes: Uint8Array, most: number): Uint8Array {
  const pieces: Uint8Array[] = [];
  let keptTo = 0;
  let start = 0;
  for (let at = 0; at <= bytes.length; at++) {
    if (BASE64[bytes[at] ?? 0] === 1) continue;
    if (at - start > most) {
      pieces.push(bytes.subarray(keptTo, start + 1));
      keptTo = at;
    }
    start = at + 1;
  }
  return pieces.length === 0 ? bytes : Buffer.concat([...pieces, bytes.subarray(keptTo)]);
}
