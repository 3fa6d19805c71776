/** One line of a gitignore-style file, taken apart. */
interface IgnorePattern {
  /** The folder the file lies in, as path parts. */
  readonly base: readonly string[];
  readonly parts: readonly string[];
  readonly negated: boolean;
  readonly folderOnly: boolean;
  /** Holds only from `base` on; otherwise at any depth below it. */
  readonly anchored: boolean;
}

/** The patterns of all ignore files of a tree, outer folders first; of those that match a path the last one decides. */
export type IgnorePatterns = readonly IgnorePattern[];

/** Reads an ignore file found in `folder` ('' is the root). Syntax: gitignore(5). */
export function parseIgnoreFile(text: string, folder: string): IgnorePatterns {
  const base = folder === '' ? [] : folder.split('/');
  const patterns: IgnorePattern[] = [];
  for (const line of text.split('\n')) {
    const trimmed = line.replace(/\r$/, '').replace(/(?<!\\) +$/, '');
    if (trimmed === '' || trimmed.startsWith('#')) continue;
    const negated = trimmed.startsWith('!');
    const body = negated ? trimmed.slice(1) : trimmed;
    const folderOnly = body.endsWith('/');
    const path = folderOnly ? body.slice(0, -1) : body;
    const parts = path.replace(/^\//, '').split('/');
    patterns.push({ base, parts, negated, folderOnly, anchored: path.includes('/') });
  }
  return patterns;
}

/** Matches one `[…]` at the start of a pattern: how long it is, and whether it takes the character. */
function matchSet(pattern: string, character: string): { length: number; takes: boolean } | undefined {
  const end = pattern.indexOf(']', pattern.startsWith('[!') || pattern.startsWith('[^') ? 3 : 2);
  if (end < 0) return undefined;
  const inverted = pattern[1] === '!' || pattern[1] === '^';
  const set = pattern.slice(inverted ? 2 : 1, end);
  let takes = false;
  for (let at = 0; at < set.length; at++) {
    const first = set.charAt(at);
    const last = set[at + 1] === '-' && at + 2 < set.length ? set.charAt(at + 2) : first;
    if (first <= character && character <= last) takes = true;
    if (last !== first) at += 2;
  }
  return { length: end + 1, takes: takes !== inverted };
}

function matchOne(pattern: string, at: number, character: string): number {
  const sign = pattern[at];
  if (sign === undefined) return 0;
  if (sign === '?') return 1;
  if (sign === '\\' && pattern[at + 1] !== undefined) return pattern[at + 1] === character ? 2 : 0;
  const set = sign === '[' ? matchSet(pattern.slice(at), character) : undefined;
  if (set !== undefined) return set.takes ? set.length : 0;
  return sign === character ? 1 : 0;
}

/** Matches a path part with `*`, `?`, `[…]`. Going back only to the last `*` keeps it quadratic on hostile patterns. */
function matchPart(pattern: string, text: string): boolean {
  let inPattern = 0;
  let inText = 0;
  let star = -1;
  let starText = 0;
  while (inText < text.length) {
    if (pattern[inPattern] === '*') {
      star = inPattern++;
      starText = inText;
      continue;
    }
    const taken = matchOne(pattern, inPattern, text.charAt(inText));
    if (taken > 0) {
      inPattern += taken;
      inText++;
    } else if (star >= 0) {
      inPattern = star + 1;
      inText = ++starText;
    } else {
      return false;
    }
  }
  while (pattern[inPattern] === '*') inPattern++;
  return inPattern === pattern.length;
}

/** Matches whole parts, `**` standing for any number of them; the same way back as above. */
function matchParts(pattern: readonly string[], path: readonly string[]): boolean {
  let inPattern = 0;
  let inPath = 0;
  let star = -1;
  let starPath = 0;
  while (inPath < path.length) {
    const part = pattern[inPattern];
    if (part === '**') {
      star = inPattern++;
      starPath = inPath;
    } else if (part !== undefined && matchPart(part, path[inPath] ?? '')) {
      inPattern++;
      inPath++;
    } else if (star >= 0) {
      inPattern = star + 1;
      inPath = ++starPath;
    } else {
      return false;
    }
  }
  while (pattern[inPattern] === '**') inPattern++;
  return inPattern === pattern.length;
}

function matches(pattern: IgnorePattern, path: readonly string[]): boolean {
  if (pattern.base.some((part, at) => path[at] !== part)) return false;
  const below = path.slice(pattern.base.length);
  const wanted = pattern.anchored ? pattern.parts : ['**', ...pattern.parts];
  // A match of any folder on the way takes everything in it.
  for (let length = 1; length <= below.length; length++) {
    if (length === below.length && pattern.folderOnly) break;
    if (matchParts(wanted, below.slice(0, length))) return true;
  }
  return false;
}

/** Tells whether the patterns ignore a file; `path` is relative to the root of the tree. */
export function isIgnored(path: string, patterns: IgnorePatterns): boolean {
  const parts = path.split('/');
  return patterns.findLast((pattern) => matches(pattern, parts))?.negated === false;
}
