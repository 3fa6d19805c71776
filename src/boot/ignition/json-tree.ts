import { EdgefabError } from '../../errors.ts';

interface Span {
  /** Offset of the first character in the source text. */
  readonly start: number;
  /** Offset after the last character. */
  readonly end: number;
}

export interface JsonMember {
  readonly key: string;
  readonly start: number;
  readonly value: JsonNode;
}

/** A JSON value that knows where it stands in the text, so that a change can leave all the rest as it was. */
export type JsonNode =
  | (Span & { readonly kind: 'object'; readonly members: readonly JsonMember[] })
  | (Span & { readonly kind: 'array'; readonly items: readonly JsonNode[] })
  | (Span & { readonly kind: 'string'; readonly value: string })
  | (Span & { readonly kind: 'number'; readonly value: number })
  | (Span & { readonly kind: 'boolean'; readonly value: boolean })
  | (Span & { readonly kind: 'null'; readonly value: null });

const MAX_DEPTH = 100;
const SPACE = /[ \t\n\r]*/y;
// What a string holds as it is (RFC 8259 section 7): the engine scans it many times faster than a loop here.
// biome-ignore lint/suspicious/noControlCharactersInRegex: they are what ends it
const PLAIN = /[^"\\\x00-\x1f]*/y;
const NUMBER = /-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?/y;
const WORDS = { true: true, false: false, null: null } as const;

/**
 * Parses JSON text (RFC 8259, strict; a key given twice is refused, since readers differ on which one wins).
 * Throws IGNITION_INVALID with line and column. Never quotes the text, which may hold secrets.
 */
export function parseJsonTree(text: string, where: string): JsonNode {
  let at = 0;

  const bad = (why: string, offset = at): EdgefabError => {
    const before = text.slice(0, offset).split('\n');
    const line = before.length;
    const col = (before.at(-1)?.length ?? 0) + 1;
    return new EdgefabError(`${where}:${line}:${col}: not valid JSON: ${why}`, {
      code: 'IGNITION_INVALID',
      place: { file: where, line, col },
    });
  };
  const skipSpace = (): void => {
    SPACE.lastIndex = at;
    SPACE.test(text);
    at = SPACE.lastIndex;
  };
  const string = (): Span & { kind: 'string'; value: string } => {
    const start = at;
    if (text[at] !== '"') throw bad('want a string in double quotes');
    let escaped = false;
    at += 1;
    for (;;) {
      PLAIN.lastIndex = at;
      PLAIN.test(text);
      at = PLAIN.lastIndex;
      const code = text.charCodeAt(at);
      if (code === 0x22) break;
      if (Number.isNaN(code)) throw bad('the text ends inside a string', start);
      if (code < 0x20) throw bad('a bare control character in a string');
      escaped = true;
      at += 2;
    }
    at += 1;
    const raw = text.slice(start, at);
    if (!escaped) return { kind: 'string', start, end: at, value: raw.slice(1, -1) };
    try {
      return { kind: 'string', start, end: at, value: JSON.parse(raw) as string };
    } catch {
      throw bad('a bad escape in a string', start);
    }
  };
  const array = (depth: number): JsonNode => {
    const start = at;
    const items: JsonNode[] = [];
    at += 1;
    skipSpace();
    while (text[at] !== ']') {
      items.push(value(depth + 1));
      skipSpace();
      if (text[at] === ',') {
        at += 1;
        skipSpace();
        if (text[at] === ']') throw bad('a comma before ]');
      } else if (text[at] !== ']') throw bad('want , or ]');
    }
    at += 1;
    return { kind: 'array', start, end: at, items };
  };
  const object = (depth: number): JsonNode => {
    const start = at;
    const members: JsonMember[] = [];
    const keys = new Set<string>();
    at += 1;
    skipSpace();
    while (text[at] !== '}') {
      const key = string();
      if (keys.has(key.value)) throw bad(`the key "${key.value.slice(0, 80)}" comes twice`, key.start);
      keys.add(key.value);
      skipSpace();
      if (text[at] !== ':') throw bad('want : after a key');
      at += 1;
      members.push({ key: key.value, start: key.start, value: value(depth + 1) });
      skipSpace();
      if (text[at] === ',') {
        at += 1;
        skipSpace();
        if (text[at] === '}') throw bad('a comma before }');
      } else if (text[at] !== '}') throw bad('want , or }');
    }
    at += 1;
    return { kind: 'object', start, end: at, members };
  };
  const value = (depth: number): JsonNode => {
    if (depth > MAX_DEPTH) throw bad(`nested deeper than ${MAX_DEPTH}`);
    skipSpace();
    const start = at;
    const first = text[at];
    if (first === '{') return object(depth);
    if (first === '[') return array(depth);
    if (first === '"') return string();
    for (const [word, meaning] of Object.entries(WORDS)) {
      if (!text.startsWith(word, at)) continue;
      at += word.length;
      if (meaning === null) return { kind: 'null', start, end: at, value: null };
      return { kind: 'boolean', start, end: at, value: meaning };
    }
    NUMBER.lastIndex = at;
    const found = NUMBER.exec(text);
    if (found === null) throw bad(at >= text.length ? 'the text ends too early' : 'want a value');
    at = NUMBER.lastIndex;
    return { kind: 'number', start, end: at, value: Number(found[0]) };
  };

  const root = value(0);
  skipSpace();
  if (at < text.length) throw bad('text after the end of the value');
  return root;
}

/** The member of an object by its key; undefined when absent or when the node is no object. */
export function memberOf(node: JsonNode | undefined, key: string): JsonNode | undefined {
  if (node?.kind !== 'object') return undefined;
  return node.members.find((member) => member.key === key)?.value;
}

/** The plain JavaScript value of a node. */
export function plainValue(node: JsonNode): unknown {
  if (node.kind === 'array') return node.items.map(plainValue);
  if (node.kind !== 'object') return node.value;
  const out: Record<string, unknown> = Object.create(null);
  for (const member of node.members) out[member.key] = plainValue(member.value);
  return out;
}
