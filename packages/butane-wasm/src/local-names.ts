import { type Document, isAlias, isScalar, isSeq, parseDocument, visit } from 'yaml';

const LOCAL_KEY = /(^|_)local$/u;

/**
 * Lists the files and folders a Butane document names (`local`, `contents_local`,
 * `ssh_authorized_keys_local`, …), once each, in the order they are met. Walks the syntax tree and never
 * expands an alias, so an alias bomb costs no more than its text. A text that is no YAML names nothing:
 * Butane says what is wrong with it.
 */
export function localNames(butane: string): string[] {
  const names = new Set<string>();
  let document: Document;
  try {
    document = parseDocument(butane, { version: '1.1', uniqueKeys: false });
    visit(document, {
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

  function add(node: unknown): void {
    const value = isAlias(node) ? node.resolve(document) : node;
    // The text, not the value: a file may be called `y` or `0644`.
    if (isScalar(value) && value.source !== undefined) names.add(value.source);
    if (isSeq(value)) for (const item of value.items) if (!isSeq(item)) add(item);
  }
}
