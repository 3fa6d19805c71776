import { quoteText } from './shown-text.ts';

/** Where a value is inside a document: keys of maps, indexes of lists. */
export type FieldPath = readonly (string | number)[];

const PLAIN_KEY = /^[A-Za-z_][A-Za-z0-9_-]*$/;

/** Writes a path as people write it: `sites[0].network.address`; an odd key is quoted. */
export function formatFieldPath(path: FieldPath): string {
  let text = '';
  for (const part of path) {
    if (typeof part === 'number') text += `[${part}]`;
    else if (PLAIN_KEY.test(part)) text += text === '' ? part : `.${part}`;
    else text += `[${quoteText(part)}]`;
  }
  return text;
}
