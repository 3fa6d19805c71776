/** One encapsulated block: its label (`CERTIFICATE`) and the decoded bytes. */
export interface PemBlock {
  readonly label: string;
  readonly der: Uint8Array;
}

/** A block and where it stands in its text. `body` is what stands between the two lines, as written. */
export interface PemSpan extends PemBlock {
  readonly bodyStart: number;
  readonly bodyEnd: number;
  readonly end: number;
  /** Why the body is no base64; `der` is then empty. */
  readonly damage?: string;
}

const BEGIN = /-----BEGIN ([A-Z0-9 ]{1,64})-----/g;
// RFC 7468 section 2, and lenient in what parts the lines: indents of a YAML block scalar, CRLF, or line breaks
// as a JSON or YAML string in double quotes writes them.
const GAP = /(?:\s|\\[nrt])+/g;
/** No real block is longer (a certificate has a few KiB). */
const MAX_BODY = 1024 * 1024;
/** DER of more than 127 bytes begins with these: a block without its end was meant. */
const LIKE_DER = /^(?:\s|\\[nrt])*MI/;

function bodyOf(body: string): Pick<PemSpan, 'der' | 'damage'> {
  const plain = body.replace(GAP, '');
  const none = new Uint8Array();
  const odd = plain.search(/[^A-Za-z0-9+/=]/);
  if (odd >= 0) return { der: none, damage: `its character ${odd + 1} is no base64` };
  const unpadded = plain.replace(/={1,2}$/, '');
  if (unpadded.includes('=') || plain.length % 4 !== 0)
    return { der: none, damage: `its ${plain.length} characters are no whole base64` };
  return { der: Buffer.from(plain, 'base64') };
}

/**
 * Finds every PEM block of a text in its order with its place, also damaged ones: with other characters in it, or
 * without an end where DER begins. Text that only speaks of such lines, as scripts do, is no block.
 */
export function scanPem(text: string): PemSpan[] {
  const spans: PemSpan[] = [];
  let from = 0;
  for (const match of text.matchAll(BEGIN)) {
    if (match.index < from) continue;
    const label = match[1] ?? '';
    const bodyStart = match.index + match[0].length;
    const closing = `-----END ${label}-----`;
    const bodyEnd = text.slice(bodyStart, bodyStart + MAX_BODY).indexOf('-----');
    const closed = bodyEnd >= 0 && text.startsWith(closing, bodyStart + bodyEnd);
    if (closed) {
      const end = bodyStart + bodyEnd + closing.length;
      const body = text.slice(bodyStart, bodyStart + bodyEnd);
      spans.push({ label, bodyStart, bodyEnd: bodyStart + bodyEnd, end, ...bodyOf(body) });
      from = end;
    } else if (LIKE_DER.test(text.slice(bodyStart, bodyStart + 64))) {
      const damage = `its line "-----END ${label}-----" is missing`;
      spans.push({ label, bodyStart, bodyEnd: bodyStart, end: bodyStart, der: new Uint8Array(), damage });
    }
  }
  return spans;
}

/** Finds every sound PEM block of a text in its order, also indented ones; text around and between is skipped. */
export function decodePem(text: string): PemBlock[] {
  return scanPem(text).flatMap(({ label, der, damage }) => (damage === undefined ? [{ label, der }] : []));
}

/** Writes other bytes into the body of a block, with the line length, line ends and indents it had. */
export function replaceBody(body: string, der: Uint8Array): string {
  const base64 = Buffer.from(der).toString('base64');
  const gaps = body.match(GAP) ?? [];
  const lines = body.split(GAP).filter((line) => line !== '');
  const lead = new RegExp(`^${GAP.source}`).exec(body)?.[0] ?? '';
  const trail = new RegExp(`${GAP.source}$`).exec(body)?.[0] ?? '';
  const width = lines.length > 1 ? (lines[0]?.length ?? 64) : base64.length;
  const between = lines.length > 1 ? (gaps[lead === '' ? 0 : 1] ?? '\n') : '';
  const cut = base64.match(new RegExp(`.{1,${width}}`, 'g')) ?? [];
  return `${lead}${cut.join(between)}${trail}`;
}

/** Encodes one block with lines of 64 characters (RFC 7468 section 2) and a line feed at the end. */
export function encodePem({ label, der }: PemBlock): string {
  const lines =
    Buffer.from(der)
      .toString('base64')
      .match(/.{1,64}/g) ?? [];
  return `-----BEGIN ${label}-----\n${lines.join('\n')}\n-----END ${label}-----\n`;
}
