import { EdgefabError } from '../errors.ts';

/** What a data URL carries. `mediaType` keeps its parameters (`text/plain;charset=utf-8`). */
export interface DataUrl {
  readonly mediaType: string;
  readonly bytes: Uint8Array;
}

/** RFC 2397: what an absent media type means. */
const DEFAULT_MEDIA_TYPE = 'text/plain;charset=US-ASCII';

function invalid(why: string): EdgefabError {
  // The content is never quoted: Ignition configs carry keys and pull secrets in data URLs.
  return new EdgefabError(`data URL ${why}`, { code: 'DATA_URL_INVALID' });
}

/** Tells whether a text is base64 (RFC 4648 section 4), its padding whole or left out. */
function isBase64(text: string): boolean {
  const padding = text.endsWith('==') ? 2 : text.endsWith('=') ? 1 : 0;
  const letters = text.length - padding;
  // Looks for what does not belong: a pattern of the whole overflows the stack on megabytes.
  const foreign = text.search(/[^A-Za-z0-9+/]/);
  if (foreign >= 0 && foreign < letters) return false;
  return padding === 0 ? letters % 4 !== 1 : (letters + padding) % 4 === 0;
}

function percentDecode(text: string): Uint8Array {
  const raw = Buffer.from(text, 'utf8');
  const out = Buffer.alloc(raw.length);
  let length = 0;
  for (let at = 0; at < raw.length; at += 1, length += 1) {
    if (raw[at] !== 0x25) {
      out[length] = raw[at] ?? 0;
      continue;
    }
    const hex = raw.toString('latin1', at + 1, at + 3);
    if (!/^[0-9a-fA-F]{2}$/.test(hex))
      throw invalid(`has a % without two hex digits at byte ${at} of its data`);
    out[length] = Number.parseInt(hex, 16);
    at += 2;
  }
  return out.subarray(0, length);
}

/**
 * Decodes a data URL, base64 or percent-encoded (RFC 2397; base64 may be percent-encoded too, and its padding
 * may be missing, as Ignition accepts). Throws DATA_URL_INVALID.
 */
export function decodeDataUrl(text: string): DataUrl {
  if (!/^data:/i.test(text)) throw invalid('does not begin with "data:"');
  const comma = text.indexOf(',');
  if (comma < 0) throw invalid('has no comma between its media type and its data');
  const header = text.slice('data:'.length, comma);
  const data = text.slice(comma + 1);
  const base64 = /;base64$/i.test(header);
  const mediaType = base64 ? header.slice(0, -';base64'.length) : header;
  const shown = mediaType === '' ? DEFAULT_MEDIA_TYPE : mediaType;
  if (!base64) return { mediaType: shown, bytes: percentDecode(data) };
  const plain = data.includes('%') ? Buffer.from(percentDecode(data)).toString('latin1') : data;
  if (!isBase64(plain)) throw invalid(`says base64, but its ${plain.length} characters are not base64`);
  return { mediaType: shown, bytes: Buffer.from(plain, 'base64') };
}

/** Encodes bytes in the form openshift-install writes: `data:text/plain;charset=utf-8;base64,…`. */
export function encodeDataUrl(bytes: Uint8Array): string {
  return `data:text/plain;charset=utf-8;base64,${Buffer.from(bytes).toString('base64')}`;
}

/** Encodes text percent-encoded (`data:,…`): readable in a manifest, and not base64 inside base64. */
export function encodeTextDataUrl(text: string): string {
  // RFC 3986 section 3.3: / : @ and = may stand in a path as they are, and they are what lists are made of.
  const escaped = encodeURIComponent(text).replace(/%(?:2F|3A|40|3D)/g, (code) => decodeURIComponent(code));
  return `data:,${escaped}`;
}
