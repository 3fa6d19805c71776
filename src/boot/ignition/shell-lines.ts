/** One line of a shell script that does something. `line` counts from 1. */
export interface ShellLine {
  readonly line: number;
  readonly text: string;
}

/** The lines of a script without comment lines and blank lines. */
export function shellLines(script: string): ShellLine[] {
  return script
    .split('\n')
    .map((text, index) => ({ line: index + 1, text }))
    .filter(({ text }) => /^\s*[^#\s]/.test(text));
}

const LITERAL =
  /^\s*(?:local\s+|readonly\s+|export\s+)?([A-Za-z_][A-Za-z0-9_]*)=(?:"([^"$`\\]*)"|'([^']*)'|([^\s"'$`\\;&|()]+))\s*$/;

/** The variables a script sets to a plain text and to nothing else. */
export function literalVariables(lines: readonly ShellLine[]): ReadonlyMap<string, string> {
  const values = new Map<string, Set<string>>();
  for (const { text } of lines) {
    const match = LITERAL.exec(text);
    const name = match?.[1];
    if (match === null || name === undefined) continue;
    const set = values.get(name) ?? new Set();
    values.set(name, set.add(match[2] ?? match[3] ?? match[4] ?? ''));
  }
  const single = new Map<string, string>();
  for (const [name, set] of values) {
    const [value] = set;
    if (set.size === 1 && value !== undefined) single.set(name, value);
  }
  return single;
}
