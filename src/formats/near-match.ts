/** Longer words are never typing slips of a key or a site name, and the distance is quadratic in them. */
const MAX_WORD = 64;

/** Letters added, left out, replaced, or two neighbours swapped (optimal string alignment). */
function distance(a: string, b: string): number {
  let twoAbove: readonly number[] = [];
  let above = Array.from({ length: b.length + 1 }, (_, column) => column);
  for (let row = 1; row <= a.length; row++) {
    const current = [row];
    for (let column = 1; column <= b.length; column++) {
      const substituted = (above[column - 1] ?? 0) + (a[row - 1] === b[column - 1] ? 0 : 1);
      const isSwap = column > 1 && row > 1 && a[row - 1] === b[column - 2] && a[row - 2] === b[column - 1];
      const swapped = isSwap ? (twoAbove[column - 2] ?? 0) + 1 : Number.POSITIVE_INFINITY;
      current.push(Math.min(substituted, swapped, (above[column] ?? 0) + 1, (current[column - 1] ?? 0) + 1));
    }
    twoAbove = above;
    above = current;
  }
  return above[b.length] ?? 0;
}

/** Tells whether a word is the beginning of another: `cert` for certificates, `x86` for x86_64. */
function isShort(word: string, whole: string): boolean {
  return word.length >= 3 && whole.startsWith(word);
}

/**
 * Finds the known word a mistyped one most likely means (letter case ignored), or
 * undefined when none is close: at most one slip in three letters, or its beginning. Of equals, the first known one.
 */
export function nearMatch(word: string, known: Iterable<string>): string | undefined {
  if (word.length > MAX_WORD) return undefined;
  const wanted = word.toLowerCase();
  let best: { word: string; slips: number } | undefined;
  for (const candidate of known) {
    if (candidate.length > MAX_WORD) continue;
    const other = candidate.toLowerCase();
    const slips = isShort(wanted, other) ? 1 : distance(wanted, other);
    const allowed = Math.max(1, Math.floor(Math.max(word.length, candidate.length) / 3));
    if (slips <= allowed && (best === undefined || slips < best.slips)) best = { word: candidate, slips };
  }
  return best?.word;
}
