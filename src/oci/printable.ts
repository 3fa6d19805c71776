/**
 * Makes a text from outside safe to show: control, format and line-separator characters become blanks (a
 * terminal would obey them) and at most `limit` characters are kept.
 */
export function printable(text: string, limit: number): string {
  const cut = text.length > limit ? `${text.slice(0, limit)}…` : text;
  return cut
    .toWellFormed()
    .replace(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}\s]+/gu, ' ')
    .trim();
}
