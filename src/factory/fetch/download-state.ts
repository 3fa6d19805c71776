import { readFile, rm } from 'node:fs/promises';
import { z } from 'zod';
import { removePrefixSums } from '../../mirror/store/prefix-sums.ts';
import { writeFileDurably } from '../../mirror/store/write-file-durably.ts';
import type { Digest } from '../../oci/digest.ts';

const stateSchema = z.object({
  /** Its sha256: the address itself may hold a token. */
  url: z.string(),
  digest: z.string(),
  sizeBytes: z.number().int().nonnegative(),
  etag: z.string().optional(),
});

/** What is known of a file whose first bytes lie in its partial; kept beside it as `PARTIAL.json`. */
export type DownloadState = Readonly<z.infer<typeof stateSchema>>;

const statePath = (partial: string): string => `${partial}.json`;

/** Reads what an earlier run left; undefined when there is nothing, or it is of another file. */
export async function loadDownloadState(partial: string, digest: Digest): Promise<DownloadState | undefined> {
  try {
    const parsed = stateSchema.safeParse(JSON.parse(await readFile(statePath(partial), 'utf8')));
    return parsed.success && parsed.data.digest === digest ? parsed.data : undefined;
  } catch {
    // Ours, and only worth having when it is whole.
    return undefined;
  }
}

/** Writes down what the partial is the beginning of. */
export async function writeDownloadState(partial: string, state: DownloadState): Promise<void> {
  await writeFileDurably(statePath(partial), `${JSON.stringify(state)}\n`);
}

/** Removes a partial and everything beside it. */
export async function discardDownload(partial: string): Promise<void> {
  await rm(partial, { force: true });
  await removePrefixSums(partial);
  await rm(statePath(partial), { force: true });
}
