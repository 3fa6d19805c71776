import {
  Composer,
  type CST,
  isAlias,
  isMap,
  isScalar,
  isSeq,
  Lexer,
  LineCounter,
  type Node,
  Parser,
} from 'yaml';
import { EdgefabError, type ErrorCode, type Fault, type Place } from '../errors.ts';
import type { Origin } from './checked-value.ts';
import { faultsError } from './faults-error.ts';
import { type FieldPath, formatFieldPath } from './field-path.ts';
import { quoteText, showText } from './shown-text.ts';

/** What a document may cost: far above any real one, far below what hurts. */
const LIMITS = {
  textBytes: 4 * 1024 * 1024,
  /** Values after aliases are expanded, so that nested aliases cannot grow without end. */
  values: 250_000,
  /** About eight a line; a file made only of marks costs the parser seconds a megabyte. */
  lexemes: 1_500_000,
  depth: 64,
  /** The parser's own stack: the composer recurses, and V8 aborts the process when the stack runs out. */
  parserStack: 160,
  /** One slip often makes every later line wrong. */
  syntaxFaults: 20,
} as const;

export interface YamlSource {
  /** The name shown in faults, as the user gave it. */
  readonly file: string;
  readonly code: ErrorCode;
  /** Keeps keys whose value is null, as a program that wrote JSON means them; a person who leaves a value out means absent. */
  readonly keepsNull?: boolean;
}

/** A parsed document that still knows where each of its values was written. */
export interface YamlDocument extends YamlSource, Origin {
  /** Plain maps, lists and scalars. A key with an empty value (null) is left out unless nulls are kept: it counts as absent. */
  readonly data: unknown;
}

// The JSON schema's tags, YAML 1.2 section 10.2; the parser knows more when they are written out.
const CORE_TAGS = new Set(
  ['str', 'int', 'float', 'bool', 'null', 'map', 'seq'].map((tag) => `tag:yaml.org,2002:${tag}`),
);

interface Spot {
  readonly keyAt: number;
  readonly valueAt: number;
  readonly source?: string;
  readonly children?: ReadonlyMap<string | number, Spot>;
}

class LimitReached extends Error {
  readonly offset: number;

  constructor(message: string, offset: number) {
    super(message);
    this.offset = offset;
  }
}

function* boundedTokens(text: string): Generator<CST.Token> {
  const parser = new Parser();
  let lexemes = 0;
  for (const lexeme of new Lexer().lex(text)) {
    yield* parser.next(lexeme);
    if (++lexemes > LIMITS.lexemes)
      throw new LimitReached(`more than ${LIMITS.lexemes} words and marks`, parser.offset);
    if (parser.stack.length > LIMITS.parserStack)
      throw new LimitReached(`nested deeper than ${LIMITS.depth} levels`, parser.offset);
  }
  yield* parser.end();
}

class Reader {
  private readonly anchors = new Map<string, Node>();
  private left: number = LIMITS.values;
  readonly faults: { offset: number; message: string }[] = [];
  private readonly keepsNull: boolean;

  constructor(keepsNull: boolean) {
    this.keepsNull = keepsNull;
  }

  read(node: unknown, keyAt: number, depth: number, expanding: boolean): { value: unknown; spot: Spot } {
    const at =
      isAlias(node) || isScalar(node) || isMap(node) || isSeq(node) ? (node.range?.[0] ?? keyAt) : keyAt;
    this.left--;
    if (this.left < 0) throw new LimitReached(`more than ${LIMITS.values} values with aliases expanded`, at);
    if (depth > LIMITS.depth) throw new LimitReached(`nested deeper than ${LIMITS.depth} levels`, at);
    if (isAlias(node)) {
      const target = this.anchors.get(node.source);
      if (target !== undefined) return this.read(target, keyAt, depth + 1, true);
      this.faults.push({ offset: at, message: `alias *${showText(node.source)} has no anchor before it` });
      return { value: undefined, spot: { keyAt, valueAt: at } };
    }
    if (isScalar(node) || isMap(node) || isSeq(node)) {
      if (node.anchor !== undefined && !expanding) this.anchors.set(node.anchor, node);
      if (node.tag !== undefined && !CORE_TAGS.has(node.tag))
        this.faults.push({ offset: at, message: `the tag ${showText(node.tag)} is not one of JSON's kinds` });
    }
    if (isMap(node)) return this.readMap(node.items, keyAt, at, depth, expanding);
    if (isSeq(node)) {
      const children = new Map<number, Spot>();
      const value = node.items.map((item, index) => {
        const child = this.read(item, at, depth + 1, expanding);
        children.set(index, { ...child.spot, keyAt: child.spot.valueAt });
        return child.value;
      });
      return { value, spot: { keyAt, valueAt: at, children } };
    }
    if (!isScalar(node)) return { value: null, spot: { keyAt, valueAt: keyAt } };
    const source = node.source === undefined ? {} : { source: node.source };
    return { value: node.value, spot: { keyAt, valueAt: node.value === null ? keyAt : at, ...source } };
  }

  private readMap(
    items: readonly { key: unknown; value: unknown }[],
    keyAt: number,
    at: number,
    depth: number,
    expanding: boolean,
  ): { value: unknown; spot: Spot } {
    const value: Record<string, unknown> = {};
    const children = new Map<string, Spot>();
    for (const { key, value: item } of items) {
      if (!isScalar(key) || typeof key.value === 'object' || key.value === '__proto__') {
        const offset = isScalar(key) || isMap(key) || isSeq(key) || isAlias(key) ? key.range?.[0] : at;
        this.faults.push({ offset: offset ?? at, message: 'a key must be plain text' });
        continue;
      }
      const name = key.source ?? String(key.value);
      const itemAt = key.range?.[0] ?? at;
      const first = children.get(name);
      const child = this.read(item, itemAt, depth + 1, expanding);
      if (first !== undefined) {
        this.faults.push({ offset: itemAt, message: `duplicate key ${quoteText(name)}` });
        continue;
      }
      children.set(name, child.spot);
      if (child.value !== null || this.keepsNull) value[name] = child.value;
    }
    return { value, spot: { keyAt, valueAt: at, children } };
  }
}

/**
 * Reads one YAML 1.2 document (core schema; JSON is YAML), bounded in size, depth and alias growth. Custom
 * tags, a second document, duplicate keys and every syntax fault are thrown together, with positions, under
 * the source's code.
 */
export function parseYamlDocument(text: string, source: YamlSource): YamlDocument {
  const { file, code, keepsNull = false } = source;
  const bytes = Buffer.byteLength(text);
  if (bytes > LIMITS.textBytes) {
    throw new EdgefabError(`${file} is ${bytes} bytes long, want at most ${LIMITS.textBytes}`, {
      code,
      place: { file },
    });
  }
  const lines = new LineCounter();
  for (let at = 0; at >= 0; at = text.indexOf('\n', at) + 1 || -1) lines.addNewLine(at);
  const placeAt = (offset: number): Place => ({ file, ...lines.linePos(Math.min(offset, text.length)) });
  const faults: Fault[] = [];
  const reader = new Reader(keepsNull);
  let root: { value: unknown; spot: Spot } = { value: undefined, spot: { keyAt: 0, valueAt: 0 } };
  try {
    let count = 0;
    // Unique keys are checked by the reader: the composer compares each key with all before it.
    const composer = new Composer({ version: '1.2', schema: 'core', prettyErrors: false, uniqueKeys: false });
    for (const document of composer.compose(boundedTokens(text), true, text.length)) {
      count++;
      for (const problem of [...document.errors, ...document.warnings].slice(0, LIMITS.syntaxFaults))
        faults.push({ place: placeAt(problem.pos[0]), message: showText(problem.message, 200) });
      if (document.directives.yaml.version !== '1.2')
        faults.push({ place: placeAt(0), message: 'asks for YAML 1.1, expected YAML 1.2' });
      if (count === 2)
        faults.push({ place: placeAt(document.range[0]), message: 'a second document, expected one' });
      if (count === 1) root = reader.read(document.contents, 0, 0, false);
    }
    faults.push(...reader.faults.map(({ offset, message }) => ({ place: placeAt(offset), message })));
  } catch (error) {
    if (!(error instanceof LimitReached)) throw error;
    faults.push({ place: placeAt(error.offset), message: error.message });
  }
  if (faults.length > 0) throw faultsError(file, faults, { code });

  const spotOf = (path: FieldPath): { spot: Spot; found: boolean } => {
    let spot = root.spot;
    for (const part of path) {
      const child = spot.children?.get(part);
      if (child === undefined) return { spot, found: false };
      spot = child;
    }
    return { spot, found: true };
  };
  return {
    file,
    code,
    data: root.value ?? undefined,
    placeOf: (path, part = 'value') => {
      const { spot, found } = spotOf(path);
      const place = placeAt(found && part === 'value' ? spot.valueAt : spot.keyAt);
      return path.length === 0 ? place : { ...place, field: formatFieldPath(path) };
    },
    sourceOf: (path) => {
      const { spot, found } = spotOf(path);
      return found ? spot.source : undefined;
    },
  };
}
