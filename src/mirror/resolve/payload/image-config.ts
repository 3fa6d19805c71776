import { z } from 'zod';
import { EdgefabError } from '../../../errors.ts';
import { digestOf } from '../../../oci/digest.ts';
import type { Descriptor } from '../../../oci/manifest.ts';
import type { ImageReference } from '../../../oci/reference.ts';
import type { BlobOpener } from './content-sources.ts';
import { payloadFault } from './payload-fault.ts';

export interface ImageConfig {
  readonly architecture: string;
  readonly labels: Readonly<Record<string, string>>;
}

const MAX_CONFIG_BYTES = 4 * 1024 * 1024;

// OCI image-spec, config.md.
const configDocument = z.object({
  architecture: z.string().min(1),
  config: z.object({ Labels: z.record(z.string()).nullish() }).nullish(),
});

/** Fetches an image's config, checked against its digest. Throws PAYLOAD_INVALID, BLOB_DIGEST_MISMATCH. */
export async function fetchImageConfig(
  descriptor: Descriptor,
  blobs: BlobOpener,
  { repository, where, signal }: { repository: ImageReference; where: string; signal?: AbortSignal },
): Promise<ImageConfig> {
  const bound = Math.min(descriptor.sizeBytes, MAX_CONFIG_BYTES);
  const { stream } = await blobs.openBlob(
    repository,
    descriptor.digest,
    signal === undefined ? {} : { signal },
  );
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of stream as AsyncIterable<Buffer>) {
    size += chunk.length;
    // Leaving the loop destroys the stream.
    if (size > bound) throw payloadFault(where, `its config has more than ${bound} bytes`);
    chunks.push(chunk);
  }
  const bytes = Buffer.concat(chunks);
  const digest = digestOf(bytes);
  if (digest !== descriptor.digest)
    throw new EdgefabError(
      `the config of ${where} has digest ${digest} after ${size} bytes, want ${descriptor.digest}`,
      {
        code: 'BLOB_DIGEST_MISMATCH',
        place: { image: where },
      },
    );
  let json: unknown;
  try {
    json = JSON.parse(bytes.toString('utf8'));
  } catch (cause) {
    throw payloadFault(where, 'its config is not JSON', { cause });
  }
  const parsed = configDocument.safeParse(json);
  if (!parsed.success) {
    const issue = parsed.error.issues[0];
    throw payloadFault(
      where,
      `its config: ${issue?.path.join('.') || 'document'}: ${issue?.message ?? 'invalid'}`,
    );
  }
  return { architecture: parsed.data.architecture, labels: parsed.data.config?.Labels ?? {} };
}
