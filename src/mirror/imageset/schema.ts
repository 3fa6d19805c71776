import { z } from 'zod/v4';
import { EdgefabError } from '../../errors.ts';
import { parseReference } from '../../oci/reference.ts';

// Keys: openshift/oc-mirror, pkg/api/v1alpha2 and internal/pkg/api/v2alpha1, type_config*.go.

const name = z.string().min(1).describe('a name');
const path = z.string().min(1).describe('a path');
const tag = z
  .string()
  .regex(/^[A-Za-z0-9_][A-Za-z0-9._-]{0,127}$/)
  .describe('an image tag');
const repositoryPath = z
  .string()
  .regex(/^[a-z0-9]+(?:[._/-]+[a-z0-9]+)*$/)
  .describe('a repository path without host and tag');
const version = z.string().min(1).describe('a version as text, for example 4.13.1');

const imageReference = z
  .string()
  .superRefine((text, context) => {
    try {
      parseReference(text);
    } catch (error) {
      if (!(error instanceof EdgefabError)) throw error;
      context.addIssue({ code: 'custom', message: [error.message, ...error.suggestions].join('. ') });
    }
  })
  .describe('an image reference with its registry, for example quay.io/org/image:tag');

const platformFilter = z.strictObject({ os: name, architecture: name });

const releaseChannel = z.strictObject({
  name,
  type: z.enum(['ocp', 'okd']).optional(),
  minVersion: version.optional(),
  maxVersion: version.optional(),
  shortestPath: z.boolean().optional(),
  full: z.boolean().optional(),
});

const versions = { minVersion: version.optional(), maxVersion: version.optional() };

const platformKeys = {
  graph: z.boolean().optional(),
  channels: z.array(releaseChannel).optional(),
  architectures: z.array(z.enum(['amd64', 'arm64', 'ppc64le', 's390x', 'multi'])).optional(),
  /** A pull spec here; oc-mirror v2 uses the same key for a release on disk, v1 does not have it. */
  release: imageReference.optional(),
};

const operatorKeys = {
  catalog: name.describe(
    'a catalog image, for example registry.redhat.io/redhat/redhat-operator-index:v4.18',
  ),
  full: z.boolean().optional(),
  skipDependencies: z.boolean().optional(),
  targetCatalog: repositoryPath.optional(),
  targetTag: tag.optional(),
};

const chartKeys = {
  name,
  version: version.optional(),
  path: path.optional(),
  imagePaths: z.array(name).optional(),
};

function helmOf<T extends z.core.$ZodType>(chart: T) {
  return z.strictObject({
    repositories: z
      .array(
        z.strictObject({
          name,
          url: name.describe('the URL of a Helm repository'),
          charts: z.array(chart).optional(),
        }),
      )
      .optional(),
    local: z.array(chart).optional(),
  });
}

const namedImages = z.array(z.strictObject({ name })).optional();

const v1Package = z.strictObject({
  name,
  ...versions,
  minBundle: name.optional(),
  defaultChannel: name.optional(),
  channels: z.array(z.strictObject({ name, ...versions, minBundle: name.optional() })).optional(),
});

const v2Package = z.strictObject({
  name,
  ...versions,
  defaultChannel: name.optional(),
  bundles: z.array(z.strictObject({ name })).optional(),
  channels: z.array(z.strictObject({ name, ...versions })).optional(),
});

const head = {
  kind: z.literal('ImageSetConfiguration'),
  archiveSize: z.int().min(0).describe('the size of an archive in GiB').optional(),
};

export const imageSetV1Schema = z.strictObject({
  apiVersion: z.literal('mirror.openshift.io/v1alpha2'),
  ...head,
  storageConfig: z
    .strictObject({
      registry: z.strictObject({ imageURL: name, skipTLS: z.boolean().optional() }).optional(),
      local: z.strictObject({ path }).optional(),
    })
    .optional(),
  mirror: z
    .strictObject({
      platform: z.strictObject(platformKeys).optional(),
      operators: z
        .array(
          z.strictObject({
            ...operatorKeys,
            targetName: name.optional(),
            originalRef: name.optional(),
            packages: z.array(v1Package).optional(),
          }),
        )
        .optional(),
      additionalImages: z.array(z.strictObject({ name: imageReference })).optional(),
      blockedImages: namedImages,
      helm: helmOf(z.strictObject(chartKeys)).optional(),
      samples: namedImages,
    })
    .optional(),
});

const platforms = z.array(platformFilter).optional();

export const imageSetV2Schema = z.strictObject({
  apiVersion: z.literal('mirror.openshift.io/v2alpha1'),
  ...head,
  mirror: z
    .strictObject({
      platform: z
        .strictObject({ ...platformKeys, platforms, kubeVirtContainer: z.boolean().optional() })
        .superRefine(({ architectures = [], platforms = [] }, context) => {
          if (architectures.length === 0 || platforms.length === 0) return;
          const message = 'stands beside architectures, want one of the two';
          context.addIssue({ code: 'custom', path: ['platforms'], message });
        })
        .optional(),
      operators: z
        .array(
          z.strictObject({
            ...operatorKeys,
            targetCatalogSourceTemplate: path.optional(),
            platforms,
            packages: z.array(v2Package).optional(),
          }),
        )
        .optional(),
      additionalImages: z
        .array(
          z.strictObject({
            name: imageReference,
            targetRepo: repositoryPath.optional(),
            targetTag: tag.optional(),
            platforms,
          }),
        )
        .optional(),
      blockedImages: namedImages,
      helm: helmOf(
        z.strictObject({ ...chartKeys, values: z.record(z.string(), z.unknown()).optional(), platforms }),
      ).optional(),
      samples: namedImages,
    })
    .optional(),
});

/** Both versions, for the JSON Schema that editors read. */
export const imageSetSchema = z.union([imageSetV1Schema, imageSetV2Schema]);
