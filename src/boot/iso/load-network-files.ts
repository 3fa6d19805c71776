import { basename } from 'node:path';
import { loadText } from '../ignition/load-text.ts';
import type { NetworkFile } from './initrd.ts';

/** Real ones have less than 2 KiB; certificates for 802.1X lie beside them. */
const MAX_KEYFILE_BYTES = 256 * 1024;

/** Loads NetworkManager keyfiles to embed, each under its own name. Throws FILE_UNREADABLE. */
export async function loadNetworkFiles(paths: readonly string[]): Promise<NetworkFile[]> {
  const files: NetworkFile[] = [];
  for (const path of paths) {
    const text = await loadText(path, {
      what: 'a NetworkManager keyfile',
      maxBytes: MAX_KEYFILE_BYTES,
      code: 'FILE_UNREADABLE',
    });
    files.push({ name: basename(path), bytes: Buffer.from(text) });
  }
  return files;
}
