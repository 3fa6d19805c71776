import { execFile } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';

const run = promisify(execFile);

/** A private containers-storage, as the node's, loaded with skopeo and asked with podman. */
export interface ContainersStorage {
  load(view: string, name: string): Promise<void>;
  /** What `podman image exists` says. */
  exists(name: string): Promise<boolean>;
  remove(): void;
}

export function makeContainersStorage(): ContainersStorage {
  const folder = mkdtempSync(join(tmpdir(), 'edgefab-storage-'));
  const root = join(folder, 'root');
  const runRoot = join(folder, 'run');
  return {
    load: async (view, name) => {
      const target = `containers-storage:[vfs@${root}+${runRoot}]${name}`;
      await run('skopeo', ['--insecure-policy', 'copy', '--quiet', `dir:${view}`, target]);
    },
    exists: async (name) => {
      const store = ['--root', root, '--runroot', runRoot, '--storage-driver', 'vfs'];
      try {
        await run('podman', [...store, 'image', 'exists', name]);
        return true;
      } catch (error) {
        if ((error as { code?: unknown }).code === 1) return false;
        throw error;
      }
    },
    remove: () => rmSync(folder, { recursive: true, force: true }),
  };
}
