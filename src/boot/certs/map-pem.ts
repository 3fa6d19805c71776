import { gunzipSync, gzipSync } from 'node:zlib';
import { EdgefabError, hasCode } from '../../errors.ts';
import { base64Runs } from '../../formats/base64-runs.ts';
import { type PemSpan, replaceBody, scanPem } from '../../formats/pem.ts';

/** Sees one block; gives other bytes for it, or undefined to leave it as it is. */
export type PemVisitor = (block: PemSpan) => Uint8Array | undefined;

/** A certificate in a config in a data URL in a manifest in a Secret is five deep; more is nobody's. */
const MAX_DEPTH = 6;
/** Of everything compressed in one text; a real config has some KiB. A bomb must not unpack here. */
const MAX_UNPACKED_BYTES = 32 * 1024 * 1024;
/** `-----BEGIN A-----` has 24 characters in base64. */
const LEAST_RUN = 24;
/** `-----BEGIN` in base64: only a run that begins so may go on in the next lines. */
const ENCODED_BEGIN = 'LS0tLS1CRUdJT';
const NEXT_LINE = /(\r?\n[ \t]*)([A-Za-z0-9+/]+={0,2})(?![^\s"'])/y;
const LAST_LINE = /-----END [A-Z0-9 ]{1,64}-----\s*$/;
/** A data URL (RFC 2397) and where its data begin. */
const DATA_URL = /(data:[A-Za-z0-9/;=.+-]{0,200},)([A-Za-z0-9%._~:@/=!$&()*+,;-]*)/g;

interface Walk {
  readonly visit: PemVisitor;
  unpackedBytes: number;
}

interface Run {
  readonly end: number;
  readonly plain: string;
  /** What parts its lines; empty when it is on one. */
  readonly gap: string;
}

/** A run of base64 with the lines it goes on in, as YAML block scalars have them. */
function wholeRun(text: string, start: number, first: string): Run {
  const pieces = [first];
  let end = start + first.length;
  let gap = '';
  let tail = first;
  while (first.startsWith(ENCODED_BEGIN) && !tail.endsWith('=')) {
    // Cut in fours, so that what is left decodes.
    tail = tail.slice(Math.max(0, tail.length - 128 - (tail.length % 4)));
    if (LAST_LINE.test(Buffer.from(tail, 'base64').toString('latin1'))) break;
    NEXT_LINE.lastIndex = end;
    const next = NEXT_LINE.exec(text);
    if (next === null || (gap !== '' && next[1] !== gap)) break;
    gap = next[1] ?? '';
    pieces.push(next[2] ?? '');
    tail += next[2] ?? '';
    end = NEXT_LINE.lastIndex;
  }
  return { end, plain: pieces.join(''), gap };
}

function unpack(bytes: Buffer, walk: Walk): Buffer | undefined {
  try {
    const inner = gunzipSync(bytes, { maxOutputLength: MAX_UNPACKED_BYTES - walk.unpackedBytes });
    walk.unpackedBytes += inner.length;
    return inner;
  } catch (cause) {
    if (!hasCode(cause, 'ERR_BUFFER_TOO_LARGE') && !hasCode(cause, 'ERR_OUT_OF_RANGE')) return undefined;
    throw new EdgefabError(
      `compressed content unpacks to more than ${MAX_UNPACKED_BYTES} bytes, which no config needs`,
      { code: 'IGNITION_INVALID', cause },
    );
  }
}

function mapBytes(bytes: Buffer, walk: Walk, depth: number): Buffer {
  // RFC 1952 section 2.3.1: the two identifiers and deflate.
  if (bytes[0] === 0x1f && bytes[1] === 0x8b && bytes[2] === 8) {
    const inner = depth > MAX_DEPTH ? undefined : unpack(bytes, walk);
    // No gzip after all: the machine could not read it either.
    if (inner === undefined) return bytes;
    const mapped = mapBytes(inner, walk, depth + 1);
    return mapped === inner ? bytes : gzipSync(mapped, { level: 9 });
  }
  const text = bytes.toString('latin1');
  const mapped = mapAt(text, walk, depth + 1);
  return mapped === text ? bytes : Buffer.from(mapped, 'latin1');
}

function mapEncoded(text: string, walk: Walk, depth: number): string {
  let out = '';
  let at = 0;
  let from = 0;
  for (const { start, run } of base64Runs(text, LEAST_RUN)) {
    if (start < from) continue;
    const { end, plain, gap } = wholeRun(text, start, run);
    from = end;
    const bytes = Buffer.from(plain, 'base64');
    const mapped = mapBytes(bytes, walk, depth);
    if (mapped === bytes) continue;
    const base64 = mapped.toString('base64');
    const padded = plain.length % 4 === 0 ? base64 : base64.replace(/=+$/, '');
    const lines =
      gap === '' ? [padded] : (padded.match(new RegExp(`.{1,${Math.min(run.length, 65_535)}}`, 'g')) ?? []);
    out += text.slice(at, start) + lines.join(gap);
    at = end;
  }
  return at === 0 ? text : out + text.slice(at);
}

function percentDecode(text: string): string {
  return text.replace(/%([0-9A-Fa-f]{2})/g, (_, hex: string) =>
    String.fromCharCode(Number.parseInt(hex, 16)),
  );
}

/** Percent-encodes in the way the data it replaces was: the same characters, hex digits in the same case. */
function percentEncode(text: string, like: string): string {
  const escaped = new Set(Array.from(like.matchAll(/%[0-9A-Fa-f]{2}/g), ([code]) => percentDecode(code)));
  const plain = new Set(like.replace(/%[0-9A-Fa-f]{2}/g, ''));
  const lower = /%(?:[a-f][0-9A-Fa-f]|[0-9][a-f])/.test(like);
  return text.replace(/[^A-Za-z0-9._~-]/g, (odd) => {
    if (plain.has(odd) && !escaped.has(odd)) return odd;
    const hex = odd.charCodeAt(0).toString(16).padStart(2, '0');
    return `%${lower ? hex : hex.toUpperCase()}`;
  });
}

/** What stands between blocks may hold more of them, encoded. */
function mapBetween(text: string, walk: Walk, depth: number): string {
  let out = '';
  let at = 0;
  for (const { 0: whole, 1: head = '', 2: data = '', index } of text.matchAll(DATA_URL)) {
    if (!data.includes('%')) continue;
    const inner = percentDecode(data);
    const base64 = head.endsWith(';base64,');
    const mapped = base64 ? mapEncoded(inner, walk, depth) : mapAt(inner, walk, depth + 1);
    out += mapEncoded(text.slice(at, index), walk, depth);
    out += mapped === inner ? whole : head + (base64 ? mapped : percentEncode(mapped, data));
    at = index + whole.length;
  }
  return out + mapEncoded(text.slice(at), walk, depth);
}

function mapAt(text: string, walk: Walk, depth: number): string {
  if (depth > MAX_DEPTH) return text;
  let out = '';
  let at = 0;
  for (const span of scanPem(text)) {
    out += mapBetween(text.slice(at, span.bodyStart), walk, depth);
    const body = text.slice(span.bodyStart, span.bodyEnd);
    const other = walk.visit(span);
    out += (other === undefined ? body : replaceBody(body, other)) + text.slice(span.bodyEnd, span.end);
    at = span.end;
  }
  return out + mapBetween(text.slice(at), walk, depth);
}

/**
 * Shows a visitor every PEM block of a text, wherever it stands: plain, indented, in a string of JSON or YAML, in
 * base64 (also over several lines, also gzip inside), in a data URL, and all of that within one another. Returns
 * the text with the bodies the visitor gave, all else as it was. Throws IGNITION_INVALID for a decompression bomb.
 */
export function mapPem(text: string, visit: PemVisitor): string {
  return mapAt(text, { visit, unpackedBytes: 0 }, 0);
}
