import { access, constants } from 'node:fs/promises';
import type { Factory, FileReference } from './factory.ts';

/** Finds every file and folder the factory names that cannot be read, each with the place that names it. */
export async function missingFiles({ files }: Pick<Factory, 'files'>): Promise<FileReference[]> {
  const missing: FileReference[] = [];
  for (const file of files) {
    const readable = await access(file.path, constants.R_OK).then(
      () => true,
      () => false,
    );
    if (!readable) missing.push(file);
  }
  return missing;
}
