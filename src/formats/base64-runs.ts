const BASE64 = new Uint8Array(128);
for (const character of 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/') {
  BASE64[character.charCodeAt(0)] = 1;
}

const REST = /[A-Za-z0-9+/]*={0,2}/y;

/**
 * Finds every run of at least `least` base64 characters (RFC 4648 section 4) in a text, with the padding after it.
 * Yields offset and text. It looks at the last character of a possible run first, so that it steps over prose.
 */
export function* base64Runs(text: string, least: number): Generator<{ start: number; run: string }> {
  let start = 0;
  while (start + least <= text.length) {
    let at = start + least - 1;
    while (at >= start && BASE64[text.charCodeAt(at)] === 1) at--;
    if (at >= start) {
      start = at + 1;
      continue;
    }
    REST.lastIndex = start + least;
    REST.test(text);
    const end = REST.lastIndex;
    yield { start, run: text.slice(start, end) };
    start = end;
  }
}
