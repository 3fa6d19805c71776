import { EdgefabError } from '../errors.ts';

const LINE = /^([0-9a-fA-F]{64}) [ *](\S.*)$/;

/**
 * Parses what `sha256sum` prints, one `HEX  NAME` a line, to lower-case HEX by name; `where` names it in errors.
 * Throws CHECKSUMS_INVALID for other lines, and for a name with two sums.
 */
export function parseChecksumList(text: string, where: string): ReadonlyMap<string, string> {
  const sums = new Map<string, string>();
  for (const [at, line] of text.split(/\r?\n/).entries()) {
    if (line.trim() === '') continue;
    const fault = (what: string): EdgefabError =>
      new EdgefabError(`${where}: line ${at + 1} ${what}`, {
        code: 'CHECKSUMS_INVALID',
        place: { file: where, line: at + 1 },
        suggestions: ['Check that the address is that of a release, not of a page that asks for a login'],
      });
    const [, hex = '', name = ''] = LINE.exec(line) ?? [];
    if (name === '') throw fault('is no checksum: want 64 hex digits, two blanks and a file name');
    const sum = hex.toLowerCase();
    if (sums.has(name) && sums.get(name) !== sum) throw fault('gives another sum for a name that had one');
    sums.set(name, sum);
  }
  return sums;
}
