import { z } from 'zod/v4';

const sha256 = z.string().regex(/^[0-9a-f]{64}$/);
const count = z.number().int().nonnegative();

const builtSite = z.strictObject({
  site: z.string(),
  /** `kept`: an earlier run had built exactly this. */
  state: z.enum(['built', 'kept']),
  buildId: sha256,
  /** Path below the output folder. */
  iso: z.string(),
  sha256,
  sizeBytes: count,
  certificatesEnd: z.iso.datetime().nullable(),
  warnings: z.array(z.string()),
});

const failedSite = z.strictObject({
  site: z.string(),
  state: z.literal('failed'),
  error: z.strictObject({ code: z.string(), message: z.string(), suggestions: z.array(z.string()) }),
});

/** The batch was interrupted before it came to this site. */
const siteNotBegun = z.strictObject({ site: z.string(), state: z.literal('not-begun') });

const siteReport = z.discriminatedUnion('state', [builtSite, failedSite, siteNotBegun]);

/** `report.json` of a batch: what became of every site, in the order of the factory. */
export const batchReportSchema = z.strictObject({
  apiVersion: z.literal('edgefab.io/v1'),
  kind: z.literal('BatchReport'),
  /** edgefab/VERSION. */
  writer: z.string(),
  buildTime: z.iso.datetime(),
  lock: z.string(),
  shard: z.strictObject({ index: count, of: count }).optional(),
  sites: z.array(siteReport),
});

export type SiteReport = z.infer<typeof siteReport>;
export type BatchReport = z.infer<typeof batchReportSchema>;
