import { decodeDataUrl } from '../../formats/data-url.ts';

// Runs are found by hand: a regular expression overflows the stack on runs of megabytes.
function classOf(characters: string): Uint8Array {
  const table = new Uint8Array(128);
  for (const character of characters) table[character.charCodeAt(0)] = 1;
  return table;
}

const LETTERS = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789';
const BASE64 = classOf(`${LETTERS}+/`);
const URL_DATA = classOf(`${LETTERS}+/=%._~:@-!*(),;&`);
const MAX_HEADER = 200;
/** Shorter runs are words and paths. */
const MIN_RUN = 40;

interface Run {
  readonly start: number;
  readonly end: number;
}

function runEnd(text: string, start: number, characters: Uint8Array): number {
  let at = start;
  while (characters[text.charCodeAt(at)] === 1) at += 1;
  return at;
}

function dataUrls(text: string): Run[] {
  const found: Run[] = [];
  for (let start = text.indexOf('data:'); start >= 0; ) {
    const header = text.slice(start, start + MAX_HEADER);
    const comma = /^data:[A-Za-z0-9/;=.+-]*,/.exec(header)?.[0].length;
    const end = comma === undefined ? start + 'data:'.length : runEnd(text, start + comma, URL_DATA);
    if (comma !== undefined) found.push({ start, end });
    start = text.indexOf('data:', end);
  }
  return found;
}

/** Runs of base64; lines of it that follow one another, as in a YAML block scalar, are one run. */
function base64Runs(text: string): Run[] {
  const found: Run[] = [];
  for (let at = 0; at < text.length; ) {
    const end = runEnd(text, at, BASE64);
    if (end - at >= MIN_RUN) {
      const last = found.at(-1);
      // The line end and the indentation between two lines of one text.
      const joins =
        last !== undefined &&
        /^={0,2}[ \t\r]*\n[ \t]*$/.test(text.slice(last.end, Math.min(at, last.end + 100)));
      if (joins && at - last.end <= 100) found[found.length - 1] = { start: last.start, end };
      else found.push({ start: at, end });
    }
    at = Math.max(end, at) + 1;
  }
  return found;
}

/** Decodes what a text carries inside: the contents of its data URLs, and its base64 elsewhere. */
export function encodedParts(text: string): Uint8Array[] {
  const urls = dataUrls(text);
  const parts: Uint8Array[] = [];
  for (const { start, end } of urls) {
    try {
      parts.push(decodeDataUrl(text.slice(start, end)).bytes);
    } catch {
      // Not a data URL after all.
    }
  }
  let url = 0;
  for (const { start, end } of base64Runs(text)) {
    while (url < urls.length && (urls[url]?.end ?? 0) <= start) url += 1;
    if (start >= (urls[url]?.start ?? text.length)) continue;
    parts.push(Buffer.from(text.slice(start, end), 'base64'));
  }
  return parts;
}
