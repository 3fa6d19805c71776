import { mkdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { z } from 'zod/v4';
import { EdgefabError, hasCode } from '../errors.ts';
import { parseCheckedYaml } from '../formats/checked-yaml.ts';
import type { Host } from '../host/host.ts';
import { writeFileDurably } from '../mirror/store/write-file-durably.ts';

const FILE = 'batch.json';

const batchSchema = z.strictObject({
  apiVersion: z.literal('edgefab.io/v1'),
  kind: z.literal('Batch'),
  /** ISO 8601, in UTC and whole seconds. */
  buildTime: z.iso.datetime(),
});

/** Reads the build time of SOURCE_DATE_EPOCH (reproducible-builds.org), which outranks everything. */
function fromEnvironment(text: string | undefined): Date | undefined {
  if (text === undefined || text === '') return undefined;
  const date = new Date(Number(text) * 1000);
  if (/^[0-9]{1,11}$/.test(text)) return date;
  throw new EdgefabError(`SOURCE_DATE_EPOCH is "${text.slice(0, 40)}", want seconds since 1970`, {
    code: 'USAGE_INVALID',
  });
}

/** The time of one build that is by itself: SOURCE_DATE_EPOCH, else now; whole seconds. Throws USAGE_INVALID. */
export function buildTime({ env, now }: Pick<Host, 'now' | 'env'>): Date {
  return fromEnvironment(env.SOURCE_DATE_EPOCH) ?? new Date(Math.floor(now().getTime() / 1000) * 1000);
}

/**
 * Gets the one time all sites of an output folder are built at, in whole seconds: it is fixed by the first build and
 * kept in `batch.json`, so that building again gives the same bytes. Throws FACTORY_INVALID for a damaged one.
 */
export async function keptBuildTime(out: string, host: Pick<Host, 'now' | 'env'>): Promise<Date> {
  const given = fromEnvironment(host.env.SOURCE_DATE_EPOCH);
  if (given !== undefined) return given;
  const path = join(out, FILE);
  try {
    const text = await readFile(path, 'utf8');
    const { value } = parseCheckedYaml(text, { file: path, code: 'FACTORY_INVALID', schema: batchSchema });
    return new Date(value.buildTime);
  } catch (error) {
    if (!hasCode(error, 'ENOENT')) throw error;
  }
  const now = buildTime(host);
  const document = { apiVersion: 'edgefab.io/v1', kind: 'Batch', buildTime: now.toISOString() };
  await mkdir(out, { recursive: true, mode: 0o700 });
  await writeFileDurably(path, `${JSON.stringify(document, null, 2)}\n`, 0o600);
  return now;
}
