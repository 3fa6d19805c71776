/** One encapsulated block: its label (`CERTIFICATE`) and the decoded bytes. */
export interface PemBlock {
  readonly label: string;
  readonly der: Uint8Array;
}

// RFC 7468 section 2, and lenient in what is around it: the blocks of a YAML block scalar are indented.
const BLOCK = /-----BEGIN ([A-Z0-9 ]{1,64})-----([A-Za-z0-9+/=\s]*)-----END \1-----/g;

/** Finds every PEM block of a text in its order, also indented ones; text around and between is skipped. */
export function decodePem(text: string): PemBlock[] {
  return Array.from(text.matchAll(BLOCK), (match) => ({
    label: match[1] ?? '',
    der: Buffer.from((match[2] ?? '').replace(/\s+/g, ''), 'base64'),
  }));
}

/** Encodes one block with lines of 64 characters (RFC 7468 section 2) and a line feed at the end. */
export function encodePem({ label, der }: PemBlock): string {
  const lines =
    Buffer.from(der)
      .toString('base64')
      .match(/.{1,64}/g) ?? [];
  return `-----BEGIN ${label}-----\n${lines.join('\n')}\n-----END ${label}-----\n`;
}
