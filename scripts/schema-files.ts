import { z } from 'zod/v4';
import { batchReportSchema } from '../src/factory/batch/batch-report.ts';
import { receiptSchema } from '../src/factory/receipt/receipt.ts';
import { factorySchema } from '../src/factory/schema.ts';
import { imageSetSchema } from '../src/mirror/imageset/schema.ts';
import { lockSchema } from '../src/mirror/resolve/lock.ts';
import { cacheFileSchema } from '../src/mirror/store/cache-file.ts';

/** Every validator an editor or another program can use, by the file its JSON Schema is written to. Add new ones here. */
const SCHEMAS: Readonly<Record<string, { readonly title: string; readonly schema: z.ZodType }>> = {
  'batch-report.schema.json': {
    title: 'report.json of a batch (edgefab.io/v1 BatchReport)',
    schema: batchReportSchema,
  },
  'cache.schema.json': { title: 'edgefab-cache.json, which makes a folder a cache', schema: cacheFileSchema },
  'factory.schema.json': { title: 'edgefab factory.yaml (edgefab.io/v1 Factory)', schema: factorySchema },
  'imageset.schema.json': {
    title: 'ImageSetConfiguration (mirror.openshift.io v1alpha2 and v2alpha1) as edgefab reads it',
    schema: imageSetSchema,
  },
  'lock.schema.json': { title: 'edgefab.lock (edgefab.io/v1 Lock)', schema: lockSchema },
  'receipt.schema.json': {
    title: 'receipt.json beside a built ISO (edgefab.io/v1 Receipt)',
    schema: receiptSchema,
  },
};

/** Makes the text of every JSON Schema (draft 2020-12) from the validators. */
export function schemaFiles(): { file: string; text: string }[] {
  return Object.entries(SCHEMAS).map(([file, { title, schema }]) => {
    const { $schema, ...body } = z.toJSONSchema(schema, { io: 'input', unrepresentable: 'any' });
    return { file, text: `${JSON.stringify({ $schema, title, ...body }, null, 2)}\n` };
  });
}
