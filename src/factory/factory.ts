import type { Place } from '../errors.ts';
import type { ImageReference } from '../oci/reference.ts';
import type { Site } from './site.ts';

export type Architecture = 'x86_64' | 'aarch64' | 's390x' | 'ppc64le';

/** The release to install: by version from a channel, or one exact image. */
export interface FactoryRelease {
  readonly arch: Architecture;
  readonly version?: string;
  /** `stable-X.Y` of the version unless said otherwise; undefined with an image. */
  readonly channel?: string;
  readonly image?: ImageReference;
}

/** A file or folder the factory names, and where it names it. */
export interface FileReference {
  readonly path: string;
  readonly place: Place;
}

/** factory.yaml, checked, with every path absolute. */
export interface Factory {
  readonly file: string;
  readonly release: FactoryRelease;
  readonly imageSet?: string;
  readonly installConfig?: string;
  /** Where the pull secret is; never the secret itself. */
  readonly pullSecret?: { readonly file: string } | { readonly env: string };
  readonly sshKeys: readonly ({ readonly file: string } | string)[];
  /** The ed25519 key receipts are signed with; undefined where they are not. */
  readonly signingKey?: string;
  readonly media?: { readonly liveIso: string; readonly installer?: string };
  readonly paths: { readonly cache: string; readonly out: string; readonly lock: string };
  readonly registry: { readonly ca?: string; readonly image?: ImageReference };
  readonly sites: readonly Site[];
  /** Every file and folder that must exist before work, in the order of the file. */
  readonly files: readonly FileReference[];
}
