/** Above this many changed lines on either side the blocks are shown as replaced whole. */
const MAX_LINES = 2000;
const CONTEXT = 2;

interface Edit {
  readonly sign: ' ' | '-' | '+';
  readonly text: string;
}

/** The edits between two line lists by their longest common subsequence. */
function editsBetween(a: readonly string[], b: readonly string[]): Edit[] {
  const out: Edit[] = [];
  if (a.length > MAX_LINES || b.length > MAX_LINES) {
    return [...a.map((text): Edit => ({ sign: '-', text })), ...b.map((text): Edit => ({ sign: '+', text }))];
  }
  const width = b.length + 1;
  const lengths = new Uint16Array((a.length + 1) * width);
  const at = (i: number, j: number): number => lengths[i * width + j] ?? 0;
  for (let i = a.length - 1; i >= 0; i -= 1) {
    for (let j = b.length - 1; j >= 0; j -= 1)
      lengths[i * width + j] = a[i] === b[j] ? at(i + 1, j + 1) + 1 : Math.max(at(i + 1, j), at(i, j + 1));
  }
  let i = 0;
  let j = 0;
  while (i < a.length || j < b.length) {
    if (i < a.length && j < b.length && a[i] === b[j]) {
      out.push({ sign: ' ', text: a[i] ?? '' });
      i += 1;
      j += 1;
    } else if (i < a.length && (j >= b.length || at(i + 1, j) >= at(i, j + 1))) {
      out.push({ sign: '-', text: a[i] ?? '' });
      i += 1;
    } else {
      out.push({ sign: '+', text: b[j] ?? '' });
      j += 1;
    }
  }
  return out;
}

/**
 * Compares two texts line by line: the changed lines (`-` old, `+` new) with two lines around them, and `…`
 * where unchanged lines are left out.
 */
export function diffLines(before: string, after: string): string[] {
  const a = before.split('\n');
  const b = after.split('\n');
  let head = 0;
  while (head < a.length && head < b.length && a[head] === b[head]) head += 1;
  let tail = 0;
  while (tail < a.length - head && tail < b.length - head && a.at(-1 - tail) === b.at(-1 - tail)) tail += 1;
  const same = (lines: readonly string[]): Edit[] => lines.map((text) => ({ sign: ' ', text }));
  const edits = [
    ...same(a.slice(0, head)),
    ...editsBetween(a.slice(head, a.length - tail), b.slice(head, b.length - tail)),
    ...same(a.slice(a.length - tail)),
  ];
  const out: string[] = [];
  for (const [index, edit] of edits.entries()) {
    const near = edits.slice(Math.max(0, index - CONTEXT), index + CONTEXT + 1);
    if (near.some((each) => each.sign !== ' ')) out.push(edit.sign + edit.text);
    else if (out.at(-1) !== '…') out.push('…');
  }
  return out;
}
