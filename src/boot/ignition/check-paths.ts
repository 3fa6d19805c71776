import { posix } from 'node:path';
import { showText } from '../../formats/shown-text.ts';
import { type Entry, entriesAt, type Remark, textAt } from './finding.ts';
import { type JsonNode, memberOf } from './json-tree.ts';

const KINDS = { files: 'file', directories: 'directory', links: 'link' } as const;

interface Named extends Entry {
  readonly kind: (typeof KINDS)[keyof typeof KINDS];
  /** Without doubled and trailing slashes, `.` and `..`. */
  readonly path: string;
}

function named(root: JsonNode): Named[] {
  return Object.entries(KINDS).flatMap(([key, kind]) =>
    entriesAt(root, ['storage', key]).flatMap((entry) => {
      const path = textAt(memberOf(entry.node, 'path'));
      if (path === undefined || !path.startsWith('/')) return [];
      return [{ ...entry, kind, path: posix.normalize(path).replace(/(.)\/$/, '$1') }];
    }),
  );
}

function ancestors(path: string): string[] {
  const found: string[] = [];
  for (let at = path.lastIndexOf('/'); at > 0; at = path.lastIndexOf('/', at - 1))
    found.push(path.slice(0, at));
  return found;
}

/** Finds paths that come twice, and paths below one that the config makes a file or a link. */
export function checkPaths(root: JsonNode): Remark[] {
  const entries = named(root);
  const first = new Map<string, Named>();
  const remarks: Remark[] = [];
  for (const entry of entries) {
    const other = first.get(entry.path);
    if (other === undefined) first.set(entry.path, entry);
    else
      remarks.push({
        level: 'error',
        field: entry.field,
        node: entry.node,
        message: `${entry.kind} ${showText(entry.path, 200)} is there already, as ${other.kind} at ${other.field}`,
      });
  }
  for (const entry of entries) {
    const above = ancestors(entry.path)
      .map((path) => first.get(path))
      .find((each) => each !== undefined && each.kind !== 'directory');
    if (above === undefined) continue;
    remarks.push({
      level: 'error',
      field: entry.field,
      node: entry.node,
      message: `${entry.kind} ${showText(entry.path, 200)} is below ${showText(above.path, 200)}, which is a ${above.kind} (${above.field})`,
    });
  }
  return remarks;
}
