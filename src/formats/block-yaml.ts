import { stringify } from 'yaml';

/** What has a block form here: texts, whole numbers, lists and maps of them. Keys are plain words. */
export type BlockValue = string | number | readonly BlockValue[] | { readonly [key: string]: BlockValue };

/**
 * Words and names that mean themselves in YAML 1.2 whatever stands around them in a block: no indicator at the start, no
 * `: ` and no ` #` inside, no space at either end, none of the words for true, false and null.
 */
const PLAIN =
  /^(?!(?:true|True|TRUE|false|False|FALSE|null|Null|NULL)$)[A-Za-z][A-Za-z0-9@_/.+=(),[\]-]*(?:[: ][A-Za-z0-9@_/.+=()[\]-]+)*$/;
const LONGEST = 1000;

function library(value: BlockValue): string {
  return stringify(value, { lineWidth: 0, aliasDuplicateObjects: false });
}

function isList(value: object): value is readonly BlockValue[] {
  return Array.isArray(value);
}

/** The text of a value below `lead`; what stands on the line of its key begins without it. */
function block(value: BlockValue, lead: string): string {
  if (typeof value === 'number') return ` ${value}\n`;
  if (typeof value === 'string') {
    if (value.length <= LONGEST && PLAIN.test(value)) return ` ${value}\n`;
    return ` ${library(value)}`;
  }
  if (isList(value)) {
    if (value.length === 0) return ' []\n';
    return `\n${value.map((item) => `${lead}-${entry(item, `${lead}  `)}`).join('')}`;
  }
  const keys = Object.entries(value);
  if (keys.length === 0) return ' {}\n';
  return `\n${keys.map(([key, item]) => `${lead}${key}:${block(item, `${lead}  `)}`).join('')}`;
}

/** A map in a list begins on the line of its dash. */
function entry(item: BlockValue, lead: string): string {
  const text = block(item, lead);
  return text.startsWith(`\n${lead}`) ? ` ${text.slice(1 + lead.length)}` : text;
}

function hasLineBreak(value: BlockValue): boolean {
  if (typeof value === 'string') return /[\n\r]/.test(value);
  if (typeof value === 'number') return false;
  return Object.values(value).some(hasLineBreak);
}

/**
 * Writes a map as block YAML, byte for byte as the `yaml` library does, in a tenth of its time: most texts of ours are
 * plain, and are only looked at. Texts that need quotes, and maps with texts of several lines, are the library's.
 */
export function blockYaml(value: { readonly [key: string]: BlockValue }): string {
  if (hasLineBreak(value)) return library(value);
  return block(value, '').slice(1);
}
