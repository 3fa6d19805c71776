import { z } from 'zod/v4';
import { EdgefabError } from '../errors.ts';
import { secretValue } from '../formats/schema-walk.ts';
import { parseReference } from '../oci/reference.ts';
import { defaultsSchema, siteEntrySchema } from './site-schema.ts';
import { architecture, environmentName, filePath, releaseVersion, sshPublicKey } from './values.ts';

/** An image reference with its registry; what is wrong with one is said by the parser itself. */
const imageReference = z
  .string()
  .superRefine((text, context) => {
    try {
      parseReference(text);
    } catch (error) {
      if (!(error instanceof EdgefabError)) throw error;
      context.addIssue({ code: 'custom', message: error.message });
    }
  })
  .describe('an image reference with its registry, for example quay.io/okd/scos-release@sha256:…');

const release = z
  .strictObject({
    version: releaseVersion.optional(),
    channel: z
      .string()
      .regex(/^[a-z0-9][a-z0-9.-]{0,62}$/)
      .describe('an update channel, for example stable-4.18')
      .optional(),
    arch: architecture.optional(),
    image: imageReference.optional(),
  })
  .superRefine((value, context) => {
    // A key that is wrong by itself is not there: it must not be called missing.
    if (context.issues.length > 0) return;
    if (value.image === undefined && value.version === undefined)
      context.addIssue({ code: 'custom', path: ['version'], message: 'missing, expected version or image' });
    if (value.image !== undefined && value.channel !== undefined)
      context.addIssue({
        code: 'custom',
        path: ['channel'],
        message: 'found a channel beside an image, expected one or the other (an image is one exact release)',
      });
  });

// A pull secret pasted where its file belongs must not be shown back.
const pullSecret = secretValue(
  z
    .union([z.strictObject({ file: filePath }), z.strictObject({ env: environmentName })])
    .describe('a map with file or env'),
);

const siteSource = z.strictObject({ from: filePath });

const sitesFault = 'a list of sites, or from: FILE.csv';

/** Everything in factory.yaml but the defaults and the sites, which are checked one by one. */
export const factoryHeadSchema = z.strictObject({
  apiVersion: z.literal('edgefab.io/v1'),
  kind: z.literal('Factory'),
  release,
  imageSet: filePath.optional(),
  installConfig: filePath.optional(),
  pullSecret: pullSecret.optional(),
  /** The ed25519 key receipts are signed with. */
  signingKey: z.strictObject({ file: filePath }).optional(),
  sshKeys: z.array(z.union([z.strictObject({ file: filePath }), sshPublicKey])).optional(),
  media: z.strictObject({ liveIso: filePath, installer: filePath.optional() }).optional(),
  paths: z
    .strictObject({ cache: filePath.optional(), out: filePath.optional(), lock: filePath.optional() })
    .optional(),
  registry: z.strictObject({ ca: filePath.optional(), image: imageReference.optional() }).optional(),
  defaults: z.unknown().optional(),
  sites: z.union([z.array(z.unknown()).min(1), siteSource]).describe(sitesFault),
});

export type FactoryHead = z.infer<typeof factoryHeadSchema>;

/** factory.yaml whole, for the JSON Schema that editors read. */
export const factorySchema = z.strictObject({
  ...factoryHeadSchema.shape,
  defaults: defaultsSchema.optional(),
  sites: z.union([z.array(siteEntrySchema).min(1), siteSource]).describe(sitesFault),
});
