import { EdgefabError } from '../errors.ts';
import type { Host } from '../host/host.ts';
import { gotFetcher } from '../mirror/resolve/got-fetcher.ts';
import type { ImageSetOptions } from '../mirror/resolve/image-set-images.ts';
import {
  MAX_SIGNATURE_BYTES,
  openSignatureStore,
  SIGNATURE_STORE_URLS,
} from '../mirror/resolve/signature/signature-store.ts';
import { loadKeyring } from '../mirror/resolve/signature/verify-openpgp.ts';
import { verifyReleaseSignature } from '../mirror/resolve/signature/verify-release.ts';
import { parseProxySettings } from '../oci/proxy-settings.ts';

export interface TrustOptions {
  /** Public keys that vouch for releases, armoured or binary. */
  readonly keyring?: string;
  /** Where signatures lie, URLs or folders; the public stores when none is named. */
  readonly stores: readonly string[];
  readonly skip: boolean;
  readonly signal?: AbortSignal;
  /** Told what was verified, or was taken on trust. */
  readonly onTrust: (message: string) => void;
}

/**
 * Makes the check a release image must pass before its payload is believed. With a keyring: a signature of one of
 * its keys. Without: only a digest the user wrote down is trusted; what a channel or a tag led to is refused.
 */
export function releaseTrust(
  options: TrustOptions,
  host: Pick<Host, 'now' | 'env'>,
): NonNullable<ImageSetOptions['trustRelease']> {
  const { keyring, stores, skip, signal, onTrust } = options;
  return async ({ image, digest, pinned }) => {
    if (skip) {
      onTrust(
        `${image} is taken without a signature (--insecure-skip-signatures): whoever can change what the registry or the update graph says decides what is installed`,
      );
      return;
    }
    if (keyring === undefined) {
      if (pinned) return;
      throw new EdgefabError(
        `nothing vouches for ${image}: a channel or a tag led to it, and no keyring is given`,
        {
          code: 'SIGNATURE_MISSING',
          suggestions: [
            "Name the publisher's public key with --release-keyring FILE",
            `Or write the digest down yourself: platform.release: ${image}`,
            'Or take it on trust with --insecure-skip-signatures',
          ],
          place: { image },
        },
      );
    }
    const fetcher = gotFetcher({
      maxBytes: MAX_SIGNATURE_BYTES,
      proxies: parseProxySettings(host),
      ...(signal === undefined ? {} : { signal }),
    });
    const opened = (stores.length === 0 ? SIGNATURE_STORE_URLS : stores).map((store) =>
      openSignatureStore(store, fetcher),
    );
    const keys = await loadKeyring(keyring);
    const found = await verifyReleaseSignature(
      digest,
      { stores: opened, keyring: keys, ...(signal === undefined ? {} : { signal }) },
      host,
    );
    onTrust(`${image} is signed by ${found.signedBy}`);
  };
}
