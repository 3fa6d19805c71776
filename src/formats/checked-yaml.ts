import type { z } from 'zod/v4';
import { type Checked, checkValue } from './checked-value.ts';
import { faultsError } from './faults-error.ts';
import type { FieldPath } from './field-path.ts';
import { parseYamlDocument, type YamlDocument, type YamlSource } from './yaml-document.ts';

/**
 * Checks the value at a path of a document (the whole document without one) against a schema; every fault
 * comes with `file:line:col`, the field, what was found and what was expected.
 */
export function checkYaml<T>(document: YamlDocument, schema: z.ZodType<T>, base: FieldPath = []): Checked<T> {
  let data: unknown = document.data;
  for (const part of base) data = (data as Record<string | number, unknown>)[part];
  return checkValue(data, schema, {
    placeOf: (path, part) => document.placeOf([...base, ...path], part),
    sourceOf: (path) => document.sourceOf([...base, ...path]),
  });
}

/**
 * Parses YAML or JSON text and checks it against a schema. Returns the value, and the document for later
 * checks that need positions. Throws the source's code with all faults together.
 */
export function parseCheckedYaml<T>(
  text: string,
  source: YamlSource & { readonly schema: z.ZodType<T>; readonly suggestions?: readonly string[] },
): { readonly value: T; readonly document: YamlDocument } {
  const { file, code, schema, suggestions = [] } = source;
  const document = parseYamlDocument(text, source);
  const checked = checkYaml(document, schema);
  if (!checked.ok) throw faultsError(file, checked.faults, { code, suggestions });
  return { value: checked.value, document };
}
