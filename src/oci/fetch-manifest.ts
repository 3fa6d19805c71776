import { EdgefabError } from '../errors.ts';
import type { Ask } from './asker.ts';
import { type Digest, digestOf, isDigest } from './digest.ts';
import { ACCEPTED_MANIFESTS, MAX_MANIFEST_BYTES } from './manifest.ts';
import { formatReference } from './reference.ts';
import type { RegistryEndpoint } from './registries-conf.ts';
import { type OnRetry, transient } from './retry.ts';
import { viaContract } from './via-contract.ts';

export interface FetchedManifest {
  readonly bytes: Uint8Array;
  readonly mediaType: string;
  readonly digest: Digest;
}

/** Fetches a manifest from one endpoint by digest, else by tag, else `latest`, and holds it against its digest. */
export async function fetchManifestAt(
  ask: Ask,
  { reference, insecure }: RegistryEndpoint,
  { signal, onRetry }: { readonly signal: AbortSignal | undefined; readonly onRetry: OnRetry | undefined },
): Promise<FetchedManifest> {
  const what = `the manifest of ${formatReference(reference)}`;
  const params = { name: reference.path, reference: reference.digest ?? reference.tag ?? 'latest' };
  const headers = { accept: ACCEPTED_MANIFESTS.join(', ') };
  const answer = await ask({
    reference,
    insecure,
    what,
    missing: 'MANIFEST_UNKNOWN',
    accepts: [200],
    signal,
    onRetry,
    send: viaContract(MAX_MANIFEST_BYTES, (client) => client.manifest({ params, headers })),
    check: async ({ beginning, header }) => {
      const bytes = await beginning();
      const digest = digestOf(bytes);
      // By tag there is nothing to hold the bytes against but what the registry itself says of them.
      const said = header('docker-content-digest');
      const wanted = reference.digest ?? (said !== undefined && isDigest(said) ? said : digest);
      if (digest === wanted) return;
      // What comes damaged once may come whole the next time.
      throw transient(
        new EdgefabError(`${what} has digest ${digest} after ${bytes.length} bytes, want ${wanted}`, {
          code: 'MANIFEST_DIGEST_MISMATCH',
          place: { image: formatReference(reference) },
          suggestions: ['Run again; if it stays, a proxy or the registry changes what it serves'],
        }),
      );
    },
  });
  const bytes = await answer.beginning();
  const mediaType = (answer.header('content-type') ?? '').split(';', 1)[0] ?? '';
  return { bytes, mediaType: mediaType.trim(), digest: digestOf(bytes) };
}
