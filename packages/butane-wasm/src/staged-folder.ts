import { mkdir, mkdtemp, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join, relative } from 'node:path';
import { isPlainLink, type LocalFiles } from './local-files.ts';

/** A private folder for the butane program to read; disposing of it removes it. */
export interface StagedFolder extends AsyncDisposable {
  readonly folder: string;
}

/** Writes local files into a new private folder, because a program can only read a real one. */
export async function stageFolder(files: LocalFiles): Promise<StagedFolder> {
  const folder = await mkdtemp(join(tmpdir(), 'butane-files-'));
  const staged: StagedFolder = {
    folder,
    [Symbol.asyncDispose]: () => rm(folder, { recursive: true, force: true }),
  };
  try {
    for (const [path, node] of files) {
      const place = join(folder, path);
      await mkdir(node.kind === 'folder' ? place : dirname(place), { recursive: true });
      if (node.kind === 'file') await writeFile(place, node.bytes, { mode: node.executable ? 0o700 : 0o600 });
      if (node.kind !== 'link') continue;
      // A link that only makes sense from its old place is pointed at what it stands for.
      const { target, leads } = node;
      const plain = leads === undefined || isPlainLink(path, target);
      await symlink(plain ? target : relative(dirname(path), leads), place);
    }
    return staged;
  } catch (error) {
    await staged[Symbol.asyncDispose]();
    throw error;
  }
}
