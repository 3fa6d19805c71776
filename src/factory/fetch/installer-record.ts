import { readFile } from 'node:fs/promises';
import { z } from 'zod';
import { writeFileDurably } from '../../mirror/store/write-file-durably.ts';

const recordSchema = z.object({
  apiVersion: z.literal('edgefab.io/v1'),
  kind: z.literal('FetchedInstaller'),
  version: z.string(),
  arch: z.string(),
  digest: z.string(),
  archive: z.object({ name: z.string(), digest: z.string() }),
});

/** What edgefab unpacked an installer from: a release's checksums are of archives, not of the program in them. */
export type InstallerRecord = Readonly<Omit<z.infer<typeof recordSchema>, 'apiVersion' | 'kind'>>;

const recordPath = (installer: string): string => `${installer}.fetched.json`;

/** Reads the record beside an installer; undefined where there is none that can be read. */
export async function loadInstallerRecord(installer: string): Promise<InstallerRecord | undefined> {
  try {
    const parsed = recordSchema.safeParse(JSON.parse(await readFile(recordPath(installer), 'utf8')));
    return parsed.success ? parsed.data : undefined;
  } catch {
    // Without it the program is one that somebody else put there.
    return undefined;
  }
}

/** Writes the record beside an installer, before the program gets its name. */
export async function writeInstallerRecord(installer: string, record: InstallerRecord): Promise<void> {
  const document = { apiVersion: 'edgefab.io/v1', kind: 'FetchedInstaller', ...record };
  await writeFileDurably(recordPath(installer), `${JSON.stringify(document, null, 2)}\n`);
}
