import type { JsonNode } from './json-tree.ts';

type JsonObject = Extract<JsonNode, { kind: 'object' }>;
type JsonArray = Extract<JsonNode, { kind: 'array' }>;

/**
 * Renders a value as Go's encoding/json does (`<`, `>`, `&` and the two line separators escaped), so that a
 * changed config looks like the untouched rest. `lead` is the white space the value's own line begins with,
 * with its line break; without one the value is written on one line.
 */
export function renderJson(value: unknown, lead: string): string {
  const breakAt = lead.lastIndexOf('\n');
  const indent = breakAt < 0 ? undefined : lead.slice(breakAt + 1);
  const text = JSON.stringify(value, null, indent === undefined ? undefined : 2);
  const escaped = text.replace(
    /[<>&\u2028\u2029]/g,
    (char) => `\\u${char.charCodeAt(0).toString(16).padStart(4, '0')}`,
  );
  return indent === undefined ? escaped : escaped.replaceAll('\n', `\n${indent}`);
}

/** The white space in front of an offset, back to the comma or bracket. */
export function leadBefore(text: string, offset: number): string {
  return /[ \t\n\r]*$/.exec(text.slice(Math.max(0, offset - 400), offset))?.[0] ?? '';
}

function splice(text: string, start: number, end: number, inserted: string): string {
  return text.slice(0, start) + inserted + text.slice(end);
}

/** Replaces a value; all text outside it stays as it was. */
export function replaceValue(text: string, node: JsonNode, value: unknown): string {
  // An object on one line stays on one line, whatever the lines around it do.
  const lead = text.slice(node.start, node.end).includes('\n') ? `\n${lineIndent(text, node.start)}` : '';
  return splice(text, node.start, node.end, renderJson(value, lead));
}

function lineIndent(text: string, offset: number): string {
  const begin = text.lastIndexOf('\n', offset - 1) + 1;
  return /^[ \t]*/.exec(text.slice(begin, offset))?.[0] ?? '';
}

/** Appends an item to an array, spaced as the items before it. */
export function appendItem(text: string, array: JsonArray, value: unknown): string {
  const last = array.items.at(-1);
  if (last === undefined) return replaceValue(text, array, [value]);
  const lead = leadBefore(text, last.start);
  return splice(text, last.end, last.end, `,${lead}${renderJson(value, lead)}`);
}

/** Takes an item out of an array with the comma that goes with it. Throws RangeError for a node of another array. */
export function removeItem(text: string, array: JsonArray, item: JsonNode): string {
  const index = array.items.indexOf(item);
  const [before, after] = [array.items[index - 1], array.items[index + 1]];
  if (index < 0) throw new RangeError('the item is not of this array');
  if (before !== undefined) return splice(text, before.end, item.end, '');
  if (after !== undefined) return splice(text, item.start, after.start, '');
  return replaceValue(text, array, []);
}

/** Sets an object's member: replaces its value, or adds it after the last member. */
export function setMember(text: string, object: JsonObject, key: string, value: unknown): string {
  const found = object.members.find((member) => member.key === key);
  if (found !== undefined) return replaceValue(text, found.value, value);
  const last = object.members.at(-1);
  if (last === undefined) return replaceValue(text, object, { [key]: value });
  const lead = leadBefore(text, last.start);
  const colon = lead.includes('\n') ? ': ' : ':';
  return splice(
    text,
    last.value.end,
    last.value.end,
    `,${lead}${JSON.stringify(key)}${colon}${renderJson(value, lead)}`,
  );
}
