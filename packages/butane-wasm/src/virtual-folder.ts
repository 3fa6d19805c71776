import type { LocalFiles, LocalNode } from './local-files.ts';

export interface VirtualEntry {
  readonly name: string;
  readonly node: LocalNode;
}

/** A read-only file system in memory: some local files at one absolute path, and the folders above it. */
export interface VirtualFolder {
  /** Finds the node at a path from the root; a last link is followed or given as itself. */
  find(path: string, follow: boolean): LocalNode | undefined;
  /** Lists a folder, in no order: Go's reader sorts. */
  list(path: string): readonly VirtualEntry[];
}

/** Makes the file system that holds `files` at the absolute path `mount`. */
export function virtualFolder(mount: string, files: LocalFiles): VirtualFolder {
  const root = partsOf(mount);
  const nodes = new Map<string, LocalNode>();
  for (let depth = 0; depth < root.length; depth++) {
    nodes.set(root.slice(0, depth).join('/'), { kind: 'folder' });
  }
  for (const [path, node] of files) nodes.set([...root, ...partsOf(path)].join('/'), node);

  const entries = new Map<string, VirtualEntry[]>();
  for (const [path, node] of nodes) {
    if (path === '') continue;
    const cut = path.lastIndexOf('/');
    const above = path.slice(0, Math.max(cut, 0));
    const siblings = entries.get(above) ?? [];
    siblings.push({ name: path.slice(cut + 1), node });
    entries.set(above, siblings);
  }

  /** Walks the links of a path. A link leads to a path without links, so one step each is enough. */
  function placeOf(path: string, follow: boolean): string | undefined {
    let at: string[] = [];
    const parts = partsOf(path);
    for (const [index, part] of parts.entries()) {
      at = [...at, part];
      const node = nodes.get(at.join('/'));
      if (node?.kind !== 'link' || (index === parts.length - 1 && !follow)) continue;
      if (node.leads === undefined) return undefined;
      at = [...root, ...partsOf(node.leads)];
    }
    return at.join('/');
  }

  return {
    find(path, follow) {
      const place = placeOf(path, follow);
      return place === undefined ? undefined : nodes.get(place);
    },
    list(path) {
      const place = placeOf(path, true);
      return place === undefined ? [] : (entries.get(place) ?? []);
    },
  };
}

function partsOf(path: string): string[] {
  return path.split('/').filter((part) => part !== '' && part !== '.');
}
