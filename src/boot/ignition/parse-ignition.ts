import { EdgefabError } from '../../errors.ts';
import { booleanOf, child, type Field, fieldError, integerOf, items, requiredText, textOf } from './field.ts';
import type {
  Ignition,
  IgnitionDirectory,
  IgnitionDropin,
  IgnitionFile,
  IgnitionLink,
  IgnitionResource,
  IgnitionUnit,
  IgnitionUser,
} from './ignition.ts';
import { type JsonNode, parseJsonTree } from './json-tree.ts';

/** Far above any real config (a stock one has 0.3 MiB, the embed area 0.25 MiB compressed). */
export const MAX_IGNITION_BYTES = 16 * 1024 * 1024;

const VERSION = /^3\.[0-9]{1,3}\.[0-9]{1,3}(?:-experimental)?$/;
const MAX_MODE = 0o7777;

/**
 * Parses an Ignition 3.x config. `where` names it in messages. Paths, units, drop-ins and users that come
 * twice are refused, as Ignition refuses them. Throws IGNITION_INVALID naming the field, what it is and what
 * it should be.
 */
export function parseIgnition(bytes: Uint8Array, where: string): Ignition {
  const bad = (why: string): EdgefabError =>
    new EdgefabError(`${where}: ${why}`, { code: 'IGNITION_INVALID', place: { file: where } });
  if (bytes.length > MAX_IGNITION_BYTES)
    throw bad(`an Ignition config of ${bytes.length} bytes, want at most ${MAX_IGNITION_BYTES}`);
  let text: string;
  try {
    text = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch (cause) {
    throw new EdgefabError(`${where}: not UTF-8 text, so no Ignition config`, {
      code: 'IGNITION_INVALID',
      place: { file: where },
      cause,
    });
  }
  return parseIgnitionText(text, where);
}

/** Parses a config held as text; see `parseIgnition`. */
export function parseIgnitionText(text: string, where: string): Ignition {
  const root: Field = { node: parseJsonTree(text, where), path: '', where };
  if (root.node?.kind !== 'object') throw fieldError({ ...root, path: '(top)' }, 'an object');
  const versionField = child(child(root, 'ignition'), 'version');
  const version = requiredText(versionField);
  if (!VERSION.test(version)) throw fieldError(versionField, 'a 3.x version', `"${version.slice(0, 20)}"`);

  const storage = child(root, 'storage');
  const files = items(child(storage, 'files'));
  const directories = items(child(storage, 'directories'));
  const links = items(child(storage, 'links'));
  refuseTwins([...files, ...directories, ...links].map((field) => child(field, 'path')));
  const units = items(child(child(root, 'systemd'), 'units'));
  refuseTwins(units.map((field) => child(field, 'name')));
  const users = items(child(child(root, 'passwd'), 'users'));
  refuseTwins(users.map((field) => child(field, 'name')));
  return {
    text,
    root: root.node,
    where,
    version,
    files: files.map(fileOf),
    directories: directories.map(directoryOf),
    links: links.map(linkOf),
    units: units.map(unitOf),
    users: users.map(userOf),
  };
}

/** The exact bytes of a config: those read when nothing was changed. */
export function serializeIgnition(ignition: Ignition): Uint8Array {
  return Buffer.from(ignition.text, 'utf8');
}

function refuseTwins(fields: readonly Field[]): void {
  const seen = new Map<string, string>();
  for (const field of fields) {
    const name = requiredText(field);
    const first = seen.get(name);
    if (first !== undefined)
      throw fieldError(field, 'each name once', `"${name}", which is at ${first} already`);
    seen.set(name, field.path);
  }
}

function nodeOf(field: Field): JsonNode {
  if (field.node?.kind !== 'object') throw fieldError(field, 'an object');
  return field.node;
}

/** Drops the keys that are undefined, so that an absent field is an absent key. */
function present<T extends object>(value: T): { [K in keyof T]: Exclude<T[K], undefined> } {
  return Object.fromEntries(Object.entries(value).filter(([, each]) => each !== undefined)) as {
    [K in keyof T]: Exclude<T[K], undefined>;
  };
}

function resourceOf(field: Field): IgnitionResource {
  return present({
    source: textOf(child(field, 'source')),
    compression: textOf(child(field, 'compression')),
  });
}

function ownerOf(field: Field): string | number | undefined {
  return textOf(child(field, 'name')) ?? integerOf(child(field, 'id'), 0xffff_ffff);
}

function pathOf(field: Field): string {
  const pathField = child(field, 'path');
  const path = requiredText(pathField);
  if (!path.startsWith('/')) throw fieldError(pathField, 'an absolute path', `"${path.slice(0, 200)}"`);
  return path;
}

/** What files, directories and links have in common (Ignition's Node). */
function nodeFields(field: Field): Pick<IgnitionFile, 'overwrite' | 'user' | 'group'> {
  return present({
    overwrite: booleanOf(child(field, 'overwrite')),
    user: ownerOf(child(field, 'user')),
    group: ownerOf(child(field, 'group')),
  });
}

function fileOf(field: Field): IgnitionFile {
  const contents = child(field, 'contents');
  return {
    node: nodeOf(field),
    path: pathOf(field),
    append: items(child(field, 'append')).map(resourceOf),
    ...nodeFields(field),
    ...present({
      mode: integerOf(child(field, 'mode'), MAX_MODE),
      contents: contents.node === undefined ? undefined : resourceOf(contents),
    }),
  };
}

function directoryOf(field: Field): IgnitionDirectory {
  return {
    node: nodeOf(field),
    path: pathOf(field),
    ...nodeFields(field),
    ...present({ mode: integerOf(child(field, 'mode'), MAX_MODE) }),
  };
}

function linkOf(field: Field): IgnitionLink {
  return {
    node: nodeOf(field),
    path: pathOf(field),
    ...nodeFields(field),
    ...present({ target: textOf(child(field, 'target')), hard: booleanOf(child(field, 'hard')) }),
  };
}

function dropinOf(field: Field): IgnitionDropin {
  return {
    name: requiredText(child(field, 'name')),
    node: nodeOf(field),
    ...present({ contents: textOf(child(field, 'contents')) }),
  };
}

function unitOf(field: Field): IgnitionUnit {
  const dropins = items(child(field, 'dropins'));
  refuseTwins(dropins.map((each) => child(each, 'name')));
  return {
    name: requiredText(child(field, 'name')),
    dropins: dropins.map(dropinOf),
    node: nodeOf(field),
    ...present({
      enabled: booleanOf(child(field, 'enabled')),
      mask: booleanOf(child(field, 'mask')),
      contents: textOf(child(field, 'contents')),
    }),
  };
}

function userOf(field: Field): IgnitionUser {
  return {
    name: requiredText(child(field, 'name')),
    sshAuthorizedKeys: items(child(field, 'sshAuthorizedKeys')).map(requiredText),
    ...present({ passwordHash: textOf(child(field, 'passwordHash')) }),
  };
}
