import { EdgefabError } from '../../errors.ts';
import { type JsonNode, memberOf } from './json-tree.ts';

/** A node of a config together with its field path, for messages that name the exact field. */
export interface Field {
  readonly node: JsonNode | undefined;
  readonly path: string;
  readonly where: string;
}

/** Makes the error for a field: never quotes a value, which may be a secret. */
export function fieldError(field: Field, want: string, got?: string): EdgefabError {
  const found = got ?? (field.node === undefined ? 'nothing' : `a JSON ${field.node.kind}`);
  return new EdgefabError(`${field.where}: ${field.path}: got ${found}, want ${want}`, {
    code: 'IGNITION_INVALID',
    place: { file: field.where, field: field.path },
  });
}

/** The named member of an object field; a field that is absent has only absent members. */
export function child(field: Field, key: string): Field {
  if (field.node !== undefined && field.node.kind !== 'object') throw fieldError(field, 'an object');
  return {
    node: memberOf(field.node, key),
    path: field.path === '' ? key : `${field.path}.${key}`,
    where: field.where,
  };
}

/** The items of an array field, absent and null read as empty (as Go reads them). */
export function items(field: Field): Field[] {
  if (isAbsent(field)) return [];
  if (field.node?.kind !== 'array') throw fieldError(field, 'an array');
  return field.node.items.map((node, index) => ({
    node,
    path: `${field.path}[${index}]`,
    where: field.where,
  }));
}

function isAbsent(field: Field): boolean {
  return field.node === undefined || field.node.kind === 'null';
}

/** The text of a string field; undefined when absent. */
export function textOf(field: Field): string | undefined {
  if (isAbsent(field)) return undefined;
  if (field.node?.kind !== 'string') throw fieldError(field, 'a string');
  return field.node.value;
}

/** The text of a string field that must be there and not empty. */
export function requiredText(field: Field): string {
  const text = textOf(field);
  if (text === undefined || text === '')
    throw fieldError(field, 'a text', text === '' ? 'an empty text' : undefined);
  return text;
}

/** The number of an integer field within bounds; undefined when absent. */
export function integerOf(field: Field, max: number): number | undefined {
  if (isAbsent(field)) return undefined;
  if (field.node?.kind !== 'number') throw fieldError(field, 'a whole number');
  const value = field.node.value;
  if (!Number.isSafeInteger(value) || value < 0 || value > max)
    throw fieldError(field, `a whole number from 0 to ${max}`, String(value));
  return value;
}

/** The value of a boolean field; undefined when absent. */
export function booleanOf(field: Field): boolean | undefined {
  if (isAbsent(field)) return undefined;
  if (field.node?.kind !== 'boolean') throw fieldError(field, 'true or false');
  return field.node.value;
}
