import { readFile, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { type ApiFetcher, initClient, initContract } from '@ts-rest/core';
import { EdgefabError, hasCode } from '../../../errors.ts';
import { type Digest, digestHex } from '../../../oci/digest.ts';

/** Where release signatures lie, as `sha256=HEX/signature-1` and on. */
export interface SignatureStore {
  readonly where: string;
  /** Undefined when the store has no signature of that number. */
  get(digest: Digest, number: number, signal?: AbortSignal): Promise<Uint8Array | undefined>;
}

/** The stores that clusters themselves ask for OpenShift's signatures (openshift/cluster-update-keys). */
export const SIGNATURE_STORE_URLS: readonly string[] = [
  'https://mirror.openshift.com/pub/openshift-v4/signatures/openshift/release',
  'https://storage.googleapis.com/openshift-release/official/signatures/openshift/release',
];

/** Real ones have under 1 KiB. */
export const MAX_SIGNATURE_BYTES = 64 * 1024;

const c = initContract();

const storeContract = c.router({
  signature: {
    method: 'GET',
    path: '/:folder/:file',
    responses: { 200: c.type<Uint8Array>(), 404: c.type<unknown>() },
  },
});

function namesOf(digest: Digest, number: number): { folder: string; file: string } {
  return { folder: `sha256=${digestHex(digest)}`, file: `signature-${number}` };
}

function fileStore(folder: string): SignatureStore {
  return {
    where: folder,
    get: async (digest, number) => {
      const names = namesOf(digest, number);
      const file = join(folder, names.folder, names.file);
      try {
        const { size } = await stat(file);
        if (size > MAX_SIGNATURE_BYTES)
          throw new EdgefabError(`signature ${file} has ${size} bytes, want at most ${MAX_SIGNATURE_BYTES}`, {
            code: 'SIGNATURE_INVALID',
            place: { file },
          });
        return await readFile(file);
      } catch (cause) {
        if (hasCode(cause, 'ENOENT') || hasCode(cause, 'ENOTDIR')) return undefined;
        if (cause instanceof EdgefabError) throw cause;
        throw new EdgefabError(`signature ${file} cannot be read`, {
          code: 'FILE_UNREADABLE',
          place: { file },
          cause,
        });
      }
    },
  };
}

function webStore(base: string, fetcher: ApiFetcher): SignatureStore {
  const client = initClient(storeContract, { baseUrl: base, api: fetcher });
  return {
    where: base,
    get: async (digest, number, signal) => {
      const params = namesOf(digest, number);
      const unreachable = (what: string, cause?: unknown): EdgefabError =>
        new EdgefabError(`signature store ${base}: ${what}`, {
          code: 'SIGNATURE_STORE_UNREACHABLE',
          place: { url: `${base}/${params.folder}/${params.file}` },
          suggestions: ['Give another store: a URL, or a folder that holds sha256=HEX/signature-1'],
          ...(cause === undefined ? {} : { cause }),
        });
      const answer = await client
        .signature({ params, ...(signal === undefined ? {} : { fetchOptions: { signal } }) })
        .catch((cause: unknown) => {
          if (signal?.aborted) throw signal.reason;
          throw unreachable(cause instanceof Error ? cause.message : 'no answer', cause);
        });
      if (answer.status === 404) return undefined;
      if (answer.status !== 200) throw unreachable(`it answered with status ${answer.status}`);
      return answer.body;
    },
  };
}

/**
 * Opens a signature store: an http(s) URL, a file URL or a folder. `fetcher` carries and bounds requests
 * (gotFetcher with MAX_SIGNATURE_BYTES). Its `get` throws SIGNATURE_STORE_UNREACHABLE, FILE_UNREADABLE,
 * SIGNATURE_INVALID.
 */
export function openSignatureStore(location: string, fetcher: ApiFetcher): SignatureStore {
  if (/^https?:\/\//.test(location)) return webStore(location.replace(/\/+$/, ''), fetcher);
  return fileStore(location.startsWith('file:') ? fileURLToPath(location) : location);
}
