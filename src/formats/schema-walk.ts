import type { z } from 'zod/v4';
import type { FieldPath } from './field-path.ts';

type Schema = z.core.$ZodType;

const secrets = new WeakSet<Schema>();

/** Makes a schema whose values are never shown, whatever is wrong with them; the given one stays as it is. */
export function secretValue<T extends z.ZodType>(schema: T): T {
  const marked = schema.clone(undefined, { parent: true });
  secrets.add(marked);
  return marked;
}

/** A schema with what its wrappers (optional, default, …) say about it. */
export interface SchemaView {
  readonly schema: z.core.$ZodTypes;
  readonly description: string | undefined;
  readonly secret: boolean;
}

function describe(schema: Schema): string | undefined {
  return 'description' in schema && typeof schema.description === 'string' ? schema.description : undefined;
}

/** Takes the wrappers off a schema; the outermost description counts. */
function viewSchema(schema: Schema, parentSecret = false): SchemaView {
  let current = schema as z.core.$ZodTypes;
  let description = describe(current);
  let secret = parentSecret || secrets.has(current);
  for (;;) {
    const { def } = current._zod;
    let inner: Schema;
    if (def.type === 'pipe') inner = def.in;
    else if (
      def.type === 'optional' ||
      def.type === 'nullable' ||
      def.type === 'default' ||
      def.type === 'prefault' ||
      def.type === 'readonly'
    )
      inner = def.innerType;
    else return { schema: current, description, secret };
    current = inner as z.core.$ZodTypes;
    description ??= describe(current);
    secret ||= secrets.has(current);
  }
}

/** Finds what a document may hold at a path; several where alternatives meet, none where nothing is known. */
export function schemasAt(root: Schema, path: FieldPath): SchemaView[] {
  let views = [viewSchema(root)];
  for (const part of path) views = views.flatMap(alternatives).flatMap((view) => step(view, part));
  return views;
}

function alternatives(view: SchemaView): SchemaView[] {
  const { def } = view.schema._zod;
  if (def.type !== 'union') return [view];
  return def.options.flatMap((option) => alternatives(viewSchema(option, view.secret)));
}

function step({ schema, secret }: SchemaView, part: string | number): SchemaView[] {
  const { def } = schema._zod;
  if (def.type === 'array' && typeof part === 'number') return [viewSchema(def.element, secret)];
  if (def.type === 'record') return [viewSchema(def.valueType, secret)];
  if (def.type !== 'object' || !Object.hasOwn(def.shape, part)) return [];
  const child = def.shape[part];
  return child === undefined ? [] : [viewSchema(child, secret)];
}

/** Lists the keys a map may have at a path, over all alternatives, in the order of the schema. */
export function knownKeys(root: Schema, path: FieldPath): string[] {
  const keys = schemasAt(root, path)
    .flatMap(alternatives)
    .flatMap(({ schema }) => (schema._zod.def.type === 'object' ? Object.keys(schema._zod.def.shape) : []));
  return [...new Set(keys)];
}

/** Says in words what a schema wants: its own description, else its kind. */
export function expectedText({ schema, description }: SchemaView): string {
  if (description !== undefined) return description;
  const { def } = schema._zod;
  switch (def.type) {
    case 'string':
      return 'text';
    case 'number':
      return 'a number';
    case 'boolean':
      return 'true or false';
    case 'array':
      return 'a list';
    case 'record':
      return 'a map';
    case 'enum':
      return `one of ${Object.values(def.entries).join(', ')}`;
    case 'literal':
      return def.values.map(String).join(' or ');
    case 'union':
      return def.options.map((option) => expectedText(viewSchema(option))).join(', or ');
    case 'object': {
      const keys = Object.keys(def.shape);
      const wanted = keys.filter((key) => def.shape[key]?._zod.optin === undefined);
      return `a map with ${(wanted.length === 0 ? keys : wanted).join(', ')}`;
    }
    default:
      return `a value of kind ${def.type}`;
  }
}
