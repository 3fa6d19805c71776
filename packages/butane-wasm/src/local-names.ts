import { isAlias, isScalar, isSeq, parseDocument, visit } from 'yaml';

const LOCAL_KEY = /(^|_)local$/u;

/**
 * Lists the files and folders a Butane document names (`local`, `contents_local`,
 * `ssh_authorized_keys_local`, …), once each, in the order they are met. Walks the syntax tree and never
 * expands an alias, so an alias bomb costs no more than its text. A text that is no YAML names nothing:
 * Butane says what is wrong with it.
 */
export function localNames(butane: string): string[] {
  const names = new Set<string>();
  const anchors = new Map<string, unknown>();
  const lists = new Set<unknown>();
  try {
    const document = parseDocument(butane, { version: '1.1', uniqueKeys: false });
    visit(document, {
      Node(_index, node) {
        remember(node);
      },
      Pair(_index, pair) {
        if (isScalar(pair.key) && LOCAL_KEY.test(String(pair.key.value))) add(pair.value);
      },
    });
  } catch (error) {
    // Nesting too deep for the parser's stack.
    if (error instanceof RangeError) return [];
    throw error;
  }
  return [...names];

  // Alias.resolve walks the whole document each time, which many aliases would make quadratic.
  function remember(node: unknown): void {
    if ((isScalar(node) || isSeq(node)) && node.anchor !== undefined) anchors.set(node.anchor, node);
  }

  function resolved(node: unknown): unknown {
    remember(node);
    return isAlias(node) ? anchors.get(node.source) : node;
  }

  function add(node: unknown): void {
    const value = resolved(node);
    // The text, not the value: a file may be called `y` or `0644`.
    if (isScalar(value) && value.source !== undefined) names.add(value.source);
    if (!isSeq(value) || lists.has(value)) return;
    lists.add(value);
    // A list in a list is no list of names: going into it would expand an alias bomb.
    for (const item of value.items.map(resolved)) if (isScalar(item)) add(item);
  }
}
