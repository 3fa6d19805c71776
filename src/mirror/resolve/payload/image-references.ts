import { z } from 'zod';
import { EdgefabError } from '../../../errors.ts';
import { type ImageReference, parseReference } from '../../../oci/reference.ts';
import { payloadFault } from './payload-fault.ts';

/** A component of a release: the name scripts and operators ask for it by, and where it is. */
export interface PayloadImage {
  readonly name: string;
  readonly reference: ImageReference;
}

export const IMAGE_REFERENCES = 'release-manifests/image-references';

// openshift/api image/v1, ImageStream: the part a payload uses.
const imageStream = z.object({
  kind: z.literal('ImageStream'),
  spec: z.object({
    tags: z
      .array(
        z.object({
          name: z.string().regex(/^[a-z0-9]([a-z0-9._-]*[a-z0-9])?$/, 'not a component name'),
          from: z.object({ kind: z.literal('DockerImage'), name: z.string() }),
        }),
      )
      .min(1, 'no component images'),
  }),
});

/** Parses bytes of one of the payload's JSON files. Throws PAYLOAD_INVALID. */
export function parsePayloadJson<T>(
  bytes: Uint8Array,
  schema: z.ZodType<T, z.ZodTypeDef, unknown>,
  file: string,
  where: string,
): T {
  let json: unknown;
  try {
    json = JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(bytes));
  } catch (cause) {
    throw payloadFault(where, `${file}: its ${bytes.length} bytes are not JSON`, { cause });
  }
  const parsed = schema.safeParse(json);
  if (parsed.success) return parsed.data;
  const issue = parsed.error.issues[0];
  const field = issue?.path.join('.') || 'document';
  throw payloadFault(where, `${file}: ${field}: ${issue?.message ?? 'invalid'}`);
}

/**
 * Reads a payload's image-references (an OpenShift ImageStream), sorted by name. Throws PAYLOAD_INVALID, also
 * for a name that stands for two images.
 */
export function parseImageReferences(bytes: Uint8Array, where: string): PayloadImage[] {
  const { spec } = parsePayloadJson(bytes, imageStream, IMAGE_REFERENCES, where);
  const images = new Map<string, PayloadImage & { readonly text: string }>();
  for (const { name, from } of spec.tags) {
    const twin = images.get(name);
    if (twin !== undefined && twin.text !== from.name)
      throw payloadFault(where, `${IMAGE_REFERENCES}: ${name} is both ${twin.text} and ${from.name}`);
    try {
      images.set(name, { name, reference: parseReference(from.name), text: from.name });
    } catch (cause) {
      const why = cause instanceof EdgefabError ? cause.message : 'it cannot be read';
      throw payloadFault(where, `${IMAGE_REFERENCES}: ${name}: ${why}`, { cause });
    }
  }
  return [...images.values()]
    .map(({ name, reference }) => ({ name, reference }))
    .sort((a, b) => (a.name < b.name ? -1 : 1));
}
