import type { Host } from '../host/host.ts';
import { openAsker } from './asker.ts';
import type { CredentialSource } from './credentials.ts';
import type { Digest } from './digest.ts';
import { openEndpoints, type Wanted } from './endpoints.ts';
import { type FetchedManifest, fetchManifestAt } from './fetch-manifest.ts';
import { fetchReferrersAt, listTagsAt } from './list-pages.ts';
import { type BlobBody, openBlobAt } from './open-blob.ts';
import type { ProxySettings } from './proxy-settings.ts';
import type { ImageReference } from './reference.ts';
import type { RegistryEndpoint, RegistryEntry } from './registries-conf.ts';
import { NO_CERTIFICATES, type RegistryCertificates } from './registry-certificates.ts';
import type { OnRetry } from './retry.ts';
import { openTransports } from './transport.ts';

export type { FetchedManifest } from './fetch-manifest.ts';
export type { BlobBody } from './open-blob.ts';

export interface RegistryClientOptions {
  readonly credentials: CredentialSource;
  /** Unverified TLS, and plain http where TLS is not spoken, for every registry. */
  readonly insecure?: boolean;
  /** PEM certificates, trusted besides those Node trusts. */
  readonly certificateAuthorities?: readonly string[];
  /** Finds what is laid down for one registry (HOST:PORT), when it is first asked. */
  readonly certificatesFor?: (domain: string) => Promise<RegistryCertificates>;
  /** Mirrors, other places, insecure and blocked registries. */
  readonly registries?: readonly RegistryEntry[];
  /** Absent: every request goes out directly. */
  readonly proxies?: ProxySettings;
  readonly stallTimeoutMs?: number;
  readonly retryTimes?: number;
}

interface Cancellable {
  readonly signal?: AbortSignal;
  /** Told when opening is tried again. */
  readonly onRetry?: OnRetry;
}

export interface RegistryClient {
  /** Fetches by digest, else by tag, else `latest`; the bytes are held against the digest. */
  getManifest(reference: ImageReference, options?: Cancellable): Promise<FetchedManifest>;
  /** Opens a blob's body; the caller hashes it. Its stream must be read to its end or destroyed. */
  openBlob(
    repository: ImageReference,
    digest: Digest,
    options?: Cancellable & { readonly offset?: number },
  ): Promise<BlobBody>;
  listTags(repository: ImageReference, options?: Cancellable): Promise<string[]>;
  /**
   * Lists what refers to a manifest (distribution-spec v1.1, "Listing Referrers") as one image index, whatever its
   * pages; undefined where the registry has no such API.
   */
  getReferrers(
    repository: ImageReference,
    digest: Digest,
    options?: Cancellable,
  ): Promise<Uint8Array | undefined>;
  close(): void;
}

/**
 * Opens a client of the OCI distribution API: mirrors first; anonymous, Basic and Bearer access; redirects that
 * never carry the Authorization to another origin; retries of opening (not of bodies) with back-off; time limits
 * on silence only. Throws REGISTRY_UNREACHABLE, REGISTRY_UNAUTHORIZED, REGISTRY_REFUSED, REGISTRY_BLOCKED,
 * MANIFEST_UNKNOWN, BLOB_UNKNOWN, MANIFEST_DIGEST_MISMATCH; a body that breaks off ends in BLOB_TRUNCATED.
 */
export function createRegistryClient(
  options: RegistryClientOptions,
  host: Pick<Host, 'now' | 'sleep'>,
): RegistryClient {
  const { credentials: source, insecure = false, retryTimes = 3, stallTimeoutMs = 60_000 } = options;
  const transports = openTransports({
    certificateAuthorities: options.certificateAuthorities ?? [],
    certificatesFor: options.certificatesFor ?? (async () => NO_CERTIFICATES),
    proxies: options.proxies,
    stallTimeoutMs,
  });
  const lifetime = new AbortController();
  const ask = openAsker(transports, { source, retryTimes, lifetime: lifetime.signal }, host);
  const endpoints = openEndpoints(options.registries ?? []);

  function anywhere<T>(wanted: Wanted, at: (endpoint: RegistryEndpoint) => Promise<T>): Promise<T> {
    const signal =
      wanted.signal === undefined ? lifetime.signal : AbortSignal.any([wanted.signal, lifetime.signal]);
    return endpoints.ask({ ...wanted, signal }, (endpoint) =>
      at(insecure ? { ...endpoint, insecure } : endpoint),
    );
  }

  return {
    getManifest: (reference, { signal, onRetry } = {}) => {
      const byDigest = reference.digest !== undefined;
      const key = `manifest ${reference.digest ?? reference.tag ?? 'latest'}`;
      return anywhere({ reference, byDigest, key, signal }, (endpoint) =>
        fetchManifestAt(ask, endpoint, { signal, onRetry }),
      );
    },

    openBlob: (repository, digest, { offset = 0, signal, onRetry } = {}) => {
      // A blob is named by its digest whatever its image was asked by.
      const wanted = { reference: repository, byDigest: true, key: `blob ${digest}`, signal };
      return anywhere(wanted, async (endpoint) => {
        const opening = { offset, stallTimeoutMs, signal, onRetry, lifetime: lifetime.signal };
        const body = await openBlobAt(ask, endpoint, digest, opening);
        return { ...body, distrust: () => endpoints.distrust(endpoint, wanted.key) };
      });
    },

    listTags: (repository, { signal } = {}) =>
      anywhere({ reference: repository, byDigest: false, key: 'tags', signal }, (endpoint) =>
        listTagsAt(ask, endpoint, signal),
      ),

    getReferrers: (repository, digest, { signal } = {}) =>
      anywhere({ reference: repository, byDigest: true, key: `referrers ${digest}`, signal }, (endpoint) =>
        fetchReferrersAt(ask, endpoint, digest, signal),
      ),

    close: () => {
      lifetime.abort();
      transports.close();
    },
  };
}
