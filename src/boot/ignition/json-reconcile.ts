import { leadBefore, renderJson } from './json-edit.ts';
import type { JsonNode } from './json-tree.ts';

interface Splice {
  readonly start: number;
  readonly end: number;
  readonly text: string;
}

/** Null, `[]`, `{}` and objects of such say nothing in Ignition; its own writer adds and drops them freely. */
function saysNothing(node: JsonNode): boolean {
  if (node.kind === 'array') return node.items.length === 0;
  if (node.kind === 'object') return node.members.every((member) => saysNothing(member.value));
  return node.kind === 'null';
}

function told(node: Extract<JsonNode, { kind: 'object' }>): Map<string, JsonNode> {
  return new Map(
    node.members.flatMap(({ key, value }) => (saysNothing(value) ? [] : [[key, value] as const])),
  );
}

/** Tells whether two JSON values say the same to Ignition: the order of keys and what says nothing do not count. */
export function sameMeaning(a: JsonNode, b: JsonNode): boolean {
  if (a.kind === 'array' && b.kind === 'array') {
    const others = b.items;
    return a.items.length === others.length && a.items.every((item, index) => agree(item, others[index]));
  }
  if (a.kind === 'object' && b.kind === 'object') {
    const [left, right] = [told(a), told(b)];
    return left.size === right.size && [...left].every(([key, value]) => agree(value, right.get(key)));
  }
  if (a.kind === 'array' || a.kind === 'object' || b.kind === 'array' || b.kind === 'object')
    return saysNothing(a) && saysNothing(b);
  return a.kind === b.kind && a.value === b.value;
}

function agree(a: JsonNode, b: JsonNode | undefined): boolean {
  return b !== undefined && sameMeaning(a, b);
}

/** The value of a node without what says nothing. */
function toldValue(node: JsonNode): unknown {
  if (node.kind === 'array') return node.items.map(toldValue);
  if (node.kind !== 'object') return node.value;
  const out: Record<string, unknown> = Object.create(null);
  for (const [key, value] of told(node)) out[key] = toldValue(value);
  return out;
}

/** A value that is gone: its key stays and says nothing. */
function emptied(node: JsonNode): Splice[] {
  if (saysNothing(node)) return [];
  const text = node.kind === 'array' ? '[]' : node.kind === 'object' ? '{}' : 'null';
  return [{ start: node.start, end: node.end, text }];
}

function changes(text: string, node: JsonNode, wanted: JsonNode): Splice[] {
  if (sameMeaning(node, wanted)) return [];
  const whole: Splice[] = [{ start: node.start, end: node.end, text: renderJson(toldValue(wanted), '') }];
  if (node.kind === 'object' && wanted.kind === 'object') {
    const target = told(wanted);
    const present = new Set(node.members.map((member) => member.key));
    const missing = [...target].filter(([key]) => !present.has(key));
    const last = node.members.at(-1);
    if (last === undefined) return whole;
    const lead = leadBefore(text, last.start);
    const colon = lead.includes('\n') ? ': ' : ':';
    const added = missing.map(
      ([key, value]) => `,${lead}${JSON.stringify(key)}${colon}${renderJson(toldValue(value), lead)}`,
    );
    return [
      ...node.members.flatMap(({ key, value }) => {
        const other = target.get(key);
        return other === undefined ? emptied(value) : changes(text, value, other);
      }),
      { start: last.value.end, end: last.value.end, text: added.join('') },
    ];
  }
  if (node.kind === 'array' && wanted.kind === 'array' && node.items.length <= wanted.items.length) {
    const last = node.items.at(-1);
    if (last === undefined) return whole;
    const lead = leadBefore(text, last.start);
    const added = wanted.items
      .slice(node.items.length)
      .map((item) => `,${lead}${renderJson(toldValue(item), lead)}`);
    return [
      ...node.items.flatMap((item, index) => {
        const other = wanted.items[index];
        return other === undefined ? [] : changes(text, item, other);
      }),
      { start: last.end, end: last.end, text: added.join('') },
    ];
  }
  return whole;
}

/**
 * Changes the text of a value so that it says what another one says, touching only the places that differ:
 * spelling, spacing and the order of all the rest stay.
 */
export function reconcileJson(text: string, node: JsonNode, wanted: JsonNode): string {
  const splices = changes(text, node, wanted).sort((a, b) => b.start - a.start || b.end - a.end);
  return splices.reduce(
    (now, { start, end, text: piece }) => now.slice(0, start) + piece + now.slice(end),
    text,
  );
}
