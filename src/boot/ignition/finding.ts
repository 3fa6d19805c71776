import type { Place } from '../../errors.ts';
import type { JsonNode } from './json-tree.ts';

/** Something about a config that is wrong (`error`) or looks wrong (`warning`), and who says so. */
export interface Finding {
  readonly level: 'error' | 'warning';
  readonly by: 'edgefab' | 'ignition';
  readonly message: string;
  readonly place: Place;
}

/** What one of edgefab's checks has to say about a node; never quotes contents, which may be secret. */
export interface Remark {
  readonly level: Finding['level'];
  /** As in `storage.files[0].mode`. */
  readonly field: string;
  readonly node: JsonNode;
  readonly message: string;
}

/** A value of a config with its field path: read without asking that all the rest is right. */
export interface Entry {
  readonly field: string;
  readonly node: Extract<JsonNode, { kind: 'object' }>;
}

/** The objects of a list inside a config, such as `storage.files`; what is no object is left to the parser. */
export function entriesAt(root: JsonNode, path: readonly string[], base = ''): Entry[] {
  let node: JsonNode | undefined = root;
  for (const key of path) {
    node = node?.kind === 'object' ? node.members.find((member) => member.key === key)?.value : undefined;
  }
  if (node?.kind !== 'array') return [];
  const prefix = [...(base === '' ? [] : [base]), ...path].join('.');
  return node.items.flatMap((item, index) =>
    item.kind === 'object' ? [{ field: `${prefix}[${index}]`, node: item }] : [],
  );
}

/** The text of a string node; undefined for anything else. */
export function textAt(node: JsonNode | undefined): string | undefined {
  return node?.kind === 'string' ? node.value : undefined;
}

/** Makes a function that tells line and column (from 1) of an offset in a text. */
export function lineFinder(
  text: string,
): (offset: number) => { readonly line: number; readonly col: number } {
  const starts = [0];
  for (let at = text.indexOf('\n'); at >= 0; at = text.indexOf('\n', at + 1)) starts.push(at + 1);
  return (offset) => {
    let [low, high] = [0, starts.length - 1];
    while (low < high) {
      const middle = Math.ceil((low + high) / 2);
      if ((starts[middle] ?? 0) <= offset) low = middle;
      else high = middle - 1;
    }
    return { line: low + 1, col: offset - (starts[low] ?? 0) + 1 };
  };
}
