import { type KeyObject, sign } from 'node:crypto';
import { type Digest, digestHex, digestOf } from '../../src/oci/digest.ts';
import { MEDIA_TYPE } from '../../src/oci/manifest.ts';
import type { CachedImage } from './image-cache.ts';
import type { MadeImage } from './made-image.ts';

export interface SignatureRecipe {
  readonly key: KeyObject;
  /** HOST/PATH of what is signed, without tag and digest. */
  readonly source: string;
  readonly subject: Digest;
  /** Whether it names its subject itself, as referrers do. */
  readonly attached?: boolean;
}

/** Signs as cosign does: a simple signing payload as the one layer, its signature as an annotation of that. */
function makeCosignSignature({ key, source, subject, attached }: SignatureRecipe): MadeImage {
  const payload = Buffer.from(
    JSON.stringify({
      critical: {
        identity: { 'docker-reference': source },
        image: { 'docker-manifest-digest': subject },
        type: 'cosign container image signature',
      },
      optional: null,
    }),
  );
  const layer = {
    mediaType: 'application/vnd.dev.cosign.simplesigning.v1+json',
    digest: digestOf(payload),
    bytes: payload,
    diffId: digestOf(payload),
  };
  const configBytes = Buffer.from(
    JSON.stringify({
      architecture: '',
      os: '',
      config: {},
      rootfs: { type: 'layers', diff_ids: [layer.diffId] },
    }),
  );
  const config = {
    mediaType: 'application/vnd.oci.image.config.v1+json',
    digest: digestOf(configBytes),
    bytes: configBytes,
  };
  const signature = sign('sha256', payload, key).toString('base64');
  const manifest = Buffer.from(
    JSON.stringify({
      schemaVersion: 2,
      mediaType: MEDIA_TYPE.ociManifest,
      ...(attached === true
        ? {
            artifactType: 'application/vnd.dev.cosign.artifact.sig.v1+json',
            subject: { mediaType: MEDIA_TYPE.ociManifest, digest: subject, size: 1 },
          }
        : {}),
      config: { mediaType: config.mediaType, size: configBytes.length, digest: config.digest },
      layers: [
        {
          mediaType: layer.mediaType,
          size: payload.length,
          digest: layer.digest,
          annotations: { 'dev.cosignproject.cosign/signature': signature },
        },
      ],
    }),
  );
  return {
    digest: digestOf(manifest),
    mediaType: MEDIA_TYPE.ociManifest,
    manifest,
    config,
    layers: [layer],
    architecture: 'amd64',
  };
}

/** A signature as a lock has it: found by its tag, unless it names its subject itself. */
export function cachedSignature(recipe: SignatureRecipe): CachedImage {
  const image = makeCosignSignature(recipe);
  const { source, subject, attached } = recipe;
  return { source, image, ...(attached === true ? {} : { tag: `sha256-${digestHex(subject)}.sig` }) };
}
