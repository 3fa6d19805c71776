import { type ExtendOptions, type Extension, extendCertificates } from '../boot/certs/extend-certificates.ts';
import type { Ignition } from '../boot/ignition/ignition.ts';
import { loadIgnition } from '../boot/ignition/load-ignition.ts';
import { serializeIgnition } from '../boot/ignition/parse-ignition.ts';
import { EdgefabError } from '../errors.ts';
import { writeFileDurably } from '../mirror/store/write-file-durably.ts';

/** What an earlier run wrote under the same name; undefined when there is nothing that can be used. */
async function loadEarlier(path: string): Promise<Ignition | undefined> {
  try {
    return await loadIgnition(path);
  } catch (error) {
    if (error instanceof EdgefabError) return undefined;
    throw error;
  }
}

/**
 * Extends the certificates of a config in a file and writes the result, with mode 0600, to `output`. Signatures
 * already there over the same content are kept. Throws what `extendCertificates` throws, and writes nothing then;
 * FILE_UNREADABLE, DISK_FULL.
 */
export async function extendFile(
  input: string,
  output: string,
  options: Omit<ExtendOptions, 'earlier'>,
): Promise<Extension> {
  const ignition = await loadIgnition(input);
  const earlier = await loadEarlier(output);
  const extension = extendCertificates(ignition, { ...options, earlier });
  try {
    await writeFileDurably(output, serializeIgnition(extension.ignition), 0o600);
  } catch (cause) {
    if (cause instanceof EdgefabError) throw cause;
    throw new EdgefabError(`cannot write ${output}`, {
      code: 'FILE_UNREADABLE',
      place: { file: output },
      cause,
    });
  }
  return extension;
}
