import { EdgefabError } from '../../errors.ts';
import { encodeDataUrl } from '../../formats/data-url.ts';
import type { Ignition, IgnitionUnit } from './ignition.ts';
import { appendItem, removeItem, replaceValue, setMember } from './json-edit.ts';
import { type JsonNode, memberOf, plainValue } from './json-tree.ts';
import { parseIgnitionText } from './parse-ignition.ts';

/** A file to put into a config, owned by root. `mode` is a number: 0o755. */
export interface NewFile {
  readonly path: string;
  readonly mode: number;
  readonly text: string;
}

export interface NewUnit {
  readonly name: string;
  readonly enabled: boolean;
  readonly contents: string;
}

export interface NewDropin {
  readonly name: string;
  readonly contents: string;
}

function changed(ignition: Ignition, text: string): Ignition {
  return text === ignition.text ? ignition : parseIgnitionText(text, ignition.where);
}

function sameValue(node: JsonNode, wanted: unknown): boolean {
  return JSON.stringify(sorted(plainValue(node))) === JSON.stringify(sorted(wanted));
}

function sorted(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(sorted);
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(
    Object.entries(value)
      .sort(([a], [b]) => (a < b ? -1 : 1))
      .map(([key, each]) => [key, sorted(each)]),
  );
}

/** Appends to `root.outer.inner`, making the object and the array where they are not there yet. */
function appendTo(ignition: Ignition, outer: string, inner: string, value: unknown): Ignition {
  const { root, text } = ignition;
  if (root.kind !== 'object') return ignition;
  const object = memberOf(root, outer);
  if (object?.kind !== 'object') return changed(ignition, setMember(text, root, outer, { [inner]: [value] }));
  const array = memberOf(object, inner);
  if (array?.kind !== 'array') return changed(ignition, setMember(text, object, inner, [value]));
  return changed(ignition, appendItem(text, array, value));
}

/** Puts a file into the config, in place of one with the same path. Unchanged when it is there already. */
export function withFile(ignition: Ignition, file: NewFile): Ignition {
  // The order of keys is the one Go writes, so that the entry looks like its neighbours.
  const entry = {
    overwrite: true,
    path: file.path,
    user: { name: 'root' },
    contents: { source: encodeDataUrl(Buffer.from(file.text, 'utf8')) },
    mode: file.mode,
  };
  const found = ignition.files.find((each) => each.path === file.path);
  if (found === undefined) return appendTo(ignition, 'storage', 'files', entry);
  if (sameValue(found.node, entry)) return ignition;
  return changed(ignition, replaceValue(ignition.text, found.node, entry));
}

/** Takes a file out of the config; unchanged when there is none at that path. */
export function withoutFile(ignition: Ignition, path: string): Ignition {
  const found = ignition.files.find((each) => each.path === path);
  const array = memberOf(memberOf(ignition.root, 'storage'), 'files');
  if (found === undefined || array?.kind !== 'array') return ignition;
  return changed(ignition, removeItem(ignition.text, array, found.node));
}

/** Replaces the text of a file that is there; mode, owner and all else stay. Throws IGNITION_INVALID. */
export function withFileText(ignition: Ignition, path: string, text: string): Ignition {
  const file = ignition.files.find((each) => each.path === path);
  const source = memberOf(memberOf(file?.node, 'contents'), 'source');
  if (file === undefined || source === undefined || file.append.length > 0 || file.contents?.compression) {
    throw new EdgefabError(
      `${ignition.where}: ${path} has no plain content of its own that could be replaced`,
      {
        code: 'IGNITION_INVALID',
        place: { file: ignition.where, field: path },
      },
    );
  }
  const wanted = encodeDataUrl(Buffer.from(text, 'utf8'));
  if (file.contents?.source === wanted) return ignition;
  return changed(ignition, replaceValue(ignition.text, source, wanted));
}

/**
 * Adds text to the end of a file that the machine has already, such as /etc/hosts, or that the config makes.
 * Unchanged when the very text is appended already.
 */
export function withAppendedText(ignition: Ignition, path: string, text: string): Ignition {
  const resource = { source: encodeDataUrl(Buffer.from(text, 'utf8')) };
  const found = ignition.files.find((each) => each.path === path);
  // Without `overwrite` Ignition keeps what is there and appends (specification 3.0.0 and later).
  if (found === undefined) return appendTo(ignition, 'storage', 'files', { path, append: [resource] });
  if (found.append.some(({ source }) => source === resource.source)) return ignition;
  const array = memberOf(found.node, 'append');
  if (array?.kind === 'array') return changed(ignition, appendItem(ignition.text, array, resource));
  if (found.node.kind !== 'object') return ignition;
  return changed(ignition, setMember(ignition.text, found.node, 'append', [resource]));
}

/** Puts a unit into the config; of a unit with the same name only what differs is replaced. */
export function withUnit(ignition: Ignition, unit: NewUnit): Ignition {
  const find = (within: Ignition): IgnitionUnit | undefined =>
    within.units.find((each) => each.name === unit.name);
  const found = find(ignition);
  if (found === undefined) {
    const entry = { contents: unit.contents, enabled: unit.enabled, name: unit.name };
    return appendTo(ignition, 'systemd', 'units', entry);
  }
  let next = ignition;
  for (const key of ['contents', 'enabled'] as const) {
    const now = find(next);
    if (now === undefined || now.node.kind !== 'object' || now[key] === unit[key]) continue;
    next = changed(next, setMember(next.text, now.node, key, unit[key]));
  }
  return next;
}

/** Puts a drop-in beside a unit, which needs no contents in the config; replaces one with the same name. */
export function withDropin(ignition: Ignition, unitName: string, dropin: NewDropin): Ignition {
  const entry = { contents: dropin.contents, name: dropin.name };
  const unit = ignition.units.find((each) => each.name === unitName);
  if (unit === undefined) return appendTo(ignition, 'systemd', 'units', { dropins: [entry], name: unitName });
  const found = unit.dropins.find((each) => each.name === dropin.name);
  if (found !== undefined) {
    if (found.contents === dropin.contents) return ignition;
    return changed(ignition, replaceValue(ignition.text, found.node, entry));
  }
  const array = memberOf(unit.node, 'dropins');
  if (array?.kind === 'array') return changed(ignition, appendItem(ignition.text, array, entry));
  if (unit.node.kind !== 'object') return ignition;
  return changed(ignition, setMember(ignition.text, unit.node, 'dropins', [entry]));
}
