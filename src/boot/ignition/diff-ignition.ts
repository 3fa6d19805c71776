import { createHash } from 'node:crypto';
import { fileBytes } from './file-contents.ts';
import type { Ignition, IgnitionFile, IgnitionLink, IgnitionUnit, IgnitionUser } from './ignition.ts';
import { memberOf, plainValue } from './json-tree.ts';
import { diffLines } from './line-diff.ts';
import { isSecretFile, isSecretText } from './secret.ts';
import { formatMode, ownerOf } from './show-ignition.ts';

/** One difference between two configs. `detail` are lines for people; secrets are never in them. */
export interface IgnitionChange {
  readonly kind: 'added' | 'removed' | 'changed';
  readonly what: 'file' | 'directory' | 'link' | 'unit' | 'dropin' | 'user' | 'other';
  readonly path: string;
  readonly detail: readonly string[];
}

type What = IgnitionChange['what'];

/** Pairs two lists by name, in the order of the first, then what only the second has. */
function pairs<T>(
  a: readonly T[],
  b: readonly T[],
  name: (each: T) => string,
): [string, T | undefined, T | undefined][] {
  const left = new Map(a.map((each) => [name(each), each]));
  const right = new Map(b.map((each) => [name(each), each]));
  return [...new Set([...left.keys(), ...right.keys()])].map((key) => [key, left.get(key), right.get(key)]);
}

/** Makes the change for a pair; null where there is none. */
function changeOf<T>(
  what: What,
  path: string,
  [before, after]: readonly [T | undefined, T | undefined],
  compare: (before: T, after: T) => string[],
  describe: (one: T) => string[],
): IgnitionChange[] {
  if (before === undefined && after !== undefined)
    return [{ kind: 'added', what, path, detail: describe(after) }];
  if (after === undefined && before !== undefined)
    return [{ kind: 'removed', what, path, detail: describe(before) }];
  if (before === undefined || after === undefined) return [];
  const detail = compare(before, after);
  return detail.length === 0 ? [] : [{ kind: 'changed', what, path, detail }];
}

function isText(bytes: Uint8Array): boolean {
  try {
    return !new TextDecoder('utf-8', { fatal: true }).decode(bytes).includes('\0');
  } catch {
    return false;
  }
}

function contentSummary(bytes: Uint8Array, secret: boolean): string {
  if (secret) return `secret, ${bytes.length} bytes`;
  return `${bytes.length} bytes, sha256 ${createHash('sha256').update(bytes).digest('hex')}`;
}

function compareContent(path: string, before: Uint8Array, after: Uint8Array): string[] {
  if (Buffer.compare(before, after) === 0) return [];
  const secret = isSecretFile(path, before) || isSecretFile(path, after);
  if (secret) return [`content (secret) changed: ${before.length} → ${after.length} bytes`];
  if (isText(before) && isText(after))
    return diffLines(Buffer.from(before).toString('utf8'), Buffer.from(after).toString('utf8'));
  return [`content: ${contentSummary(before, false)} → ${contentSummary(after, false)}`];
}

function compareTexts(before = '', after = ''): string[] {
  if (before === after) return [];
  if (isSecretText(before) || isSecretText(after)) return ['content (secret) changed'];
  return diffLines(before, after);
}

function was(label: string, before: string | null, after: string | null): string[] {
  return before === after ? [] : [`${label} ${before ?? '(default)'} → ${after ?? '(default)'}`];
}

/** Fields a typed view does not show still make a difference; their values are not shown. */
function orUnseen(
  seen: string[],
  before: { readonly node: Parameters<typeof plainValue>[0] },
  after: typeof before,
): string[] {
  if (seen.length > 0) return seen;
  return same(plainValue(before.node), plainValue(after.node)) ? [] : ['other fields changed'];
}

function same(a: unknown, b: unknown): boolean {
  if (Array.isArray(a) && Array.isArray(b))
    return a.length === b.length && a.every((each, index) => same(each, b[index]));
  if (typeof a !== 'object' || typeof b !== 'object' || a === null || b === null) return a === b;
  if (Array.isArray(a) !== Array.isArray(b)) return false;
  const left = Object.entries(a);
  const right = new Map(Object.entries(b));
  return (
    left.length === right.size && left.every(([key, value]) => right.has(key) && same(value, right.get(key)))
  );
}

function unitFlags(unit: IgnitionUnit): string {
  return unit.mask
    ? 'masked'
    : unit.enabled === undefined
      ? 'not enabled here'
      : unit.enabled
        ? 'enabled'
        : 'disabled';
}

function unitChanges(name: string, before?: IgnitionUnit, after?: IgnitionUnit): IgnitionChange[] {
  const unit = changeOf(
    'unit',
    name,
    // A unit entry without contents only carries drop-ins, which are listed by themselves.
    [
      before?.contents === undefined && before?.enabled === undefined ? undefined : before,
      after?.contents === undefined && after?.enabled === undefined ? undefined : after,
    ],
    (a, b) => [...was('state', unitFlags(a), unitFlags(b)), ...compareTexts(a.contents, b.contents)],
    (one) => [unitFlags(one)],
  );
  const dropins = pairs(before?.dropins ?? [], after?.dropins ?? [], (each) => each.name).flatMap(
    ([dropin, a, b]) =>
      changeOf(
        'dropin',
        `${name}.d/${dropin}`,
        [a, b],
        (x, y) => compareTexts(x.contents, y.contents),
        (one) => compareTexts('', one.contents).filter((line) => line !== '-' && line !== ' '),
      ),
  );
  return [...unit, ...dropins];
}

function userSummary(user: IgnitionUser): string[] {
  return [
    `${user.sshAuthorizedKeys.length} ssh keys, ${user.passwordHash === undefined ? 'no password' : 'a password'}`,
  ];
}

function compareUsers(a: IgnitionUser, b: IgnitionUser): string[] {
  return [
    ...(same(a.sshAuthorizedKeys, b.sshAuthorizedKeys)
      ? []
      : [`ssh keys changed: ${a.sshAuthorizedKeys.length} → ${b.sshAuthorizedKeys.length}`]),
    ...(a.passwordHash === b.passwordHash ? [] : ['password changed']),
  ];
}

function directoryChanges(a: Ignition, b: Ignition): IgnitionChange[] {
  return pairs(a.directories, b.directories, (each) => each.path).flatMap(([path, before, after]) =>
    changeOf(
      'directory',
      path,
      [before, after],
      (x, y) =>
        orUnseen(
          [...was('mode', formatMode(x.mode), formatMode(y.mode)), ...was('owner', ownerOf(x), ownerOf(y))],
          x,
          y,
        ),
      (one) => [`mode ${formatMode(one.mode) ?? '(default)'}, owner ${ownerOf(one)}`],
    ),
  );
}

function linkChanges(a: Ignition, b: Ignition): IgnitionChange[] {
  const kindOf = (link: IgnitionLink): string => (link.hard ? 'hard' : 'symbolic');
  return pairs(a.links, b.links, (each) => each.path).flatMap(([path, before, after]) =>
    changeOf(
      'link',
      path,
      [before, after],
      (x, y) =>
        orUnseen(
          [
            ...was('kind', kindOf(x), kindOf(y)),
            ...was('target', x.target ?? null, y.target ?? null),
            ...was('owner', ownerOf(x), ownerOf(y)),
          ],
          x,
          y,
        ),
      (one) => [`${kindOf(one)}, to ${one.target ?? '(nothing)'}`],
    ),
  );
}

/** Top-level parts without typed views, compared whole. */
const OTHER = [
  ['ignition'],
  ['kernelArguments'],
  ['storage', 'disks'],
  ['storage', 'filesystems'],
  ['storage', 'raid'],
  ['storage', 'luks'],
  ['passwd', 'groups'],
];

function otherChanges(a: Ignition, b: Ignition): IgnitionChange[] {
  return OTHER.flatMap((keys) => {
    const [before, after] = [a, b].map((each) => keys.reduce<typeof a.root | undefined>(memberOf, each.root));
    return changeOf(
      'other',
      keys.join('.'),
      [before, after],
      (x, y) => (same(plainValue(x), plainValue(y)) ? [] : ['changed']),
      () => [],
    );
  });
}

/** Lists what differs between two configs, meaning by meaning; the order of entries does not matter. */
export function diffIgnition(a: Ignition, b: Ignition): IgnitionChange[] {
  const bytesIn = (ignition: Ignition, file: IgnitionFile): Uint8Array =>
    fileBytes(ignition, file) ?? Buffer.from(`fetched by the machine: ${file.contents?.source ?? ''}`);
  const textOf = ({ text }: Ignition, { node }: IgnitionFile): string => text.slice(node.start, node.end);
  const fileChanges = pairs(a.files, b.files, (file) => file.path).flatMap(([path, before, after]) => {
    // Most files of two configs are written the same: those need not be decoded.
    if (before !== undefined && after !== undefined && textOf(a, before) === textOf(b, after)) return [];
    return changeOf(
      'file',
      path,
      [before, after],
      (x, y) =>
        orUnseen(
          [
            ...was('mode', formatMode(x.mode), formatMode(y.mode)),
            ...was('owner', ownerOf(x), ownerOf(y)),
            ...compareContent(path, bytesIn(a, x), bytesIn(b, y)),
          ],
          x,
          y,
        ),
      (one) => {
        const bytes = bytesIn(one === before ? a : b, one);
        return [
          `mode ${formatMode(one.mode) ?? '(default)'}, ${contentSummary(bytes, isSecretFile(path, bytes))}`,
        ];
      },
    );
  });
  return [
    ...otherChanges(a, b),
    ...fileChanges,
    ...directoryChanges(a, b),
    ...linkChanges(a, b),
    ...pairs(a.units, b.units, (unit) => unit.name).flatMap(([name, x, y]) => unitChanges(name, x, y)),
    ...pairs(a.users, b.users, (user) => user.name).flatMap(([name, x, y]) =>
      changeOf('user', name, [x, y], compareUsers, userSummary),
    ),
  ];
}
