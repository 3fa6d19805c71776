import { mkdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { z } from 'zod/v4';
import { EdgefabError, hasCode } from '../errors.ts';
import { parseCheckedYaml } from '../formats/checked-yaml.ts';
import type { Host } from '../host/host.ts';
import { writeFileDurably } from '../mirror/store/write-file-durably.ts';
import { writeOnce } from './write-once.ts';

const FILE = 'batch.json';

const batchSchema = z.strictObject({
  apiVersion: z.literal('edgefab.io/v1'),
  kind: z.literal('Batch'),
  /** ISO 8601, in UTC and whole seconds. */
  buildTime: z.iso.datetime(),
});

/** The time SOURCE_DATE_EPOCH sets (reproducible-builds.org), which outranks every other. Throws USAGE_INVALID. */
function fromEnvironment({ env }: Pick<Host, 'env'>): Date | undefined {
  const text = env.SOURCE_DATE_EPOCH;
  if (text === undefined || text === '') return undefined;
  // The year 9999, after which certificates cannot say when they end (RFC 5280 section 4.1.2.5).
  if (/^[0-9]{1,12}$/.test(text) && Number(text) < 253_402_300_800) return new Date(Number(text) * 1000);
  throw new EdgefabError(
    `SOURCE_DATE_EPOCH is "${text.slice(0, 40)}", want whole seconds since 1970-01-01T00:00:00Z`,
    { code: 'USAGE_INVALID' },
  );
}

/** The time of a build that keeps nothing: that of SOURCE_DATE_EPOCH where it is set, else now. Throws USAGE_INVALID. */
export function buildTime(host: Pick<Host, 'env' | 'now'>): Date {
  return fromEnvironment(host) ?? host.now();
}

/**
 * Gets the one time all sites of an output folder are built at, in whole seconds: it is fixed by the first build and
 * kept in `batch.json`, so that building again gives the same bytes; `renew` fixes a new one. Of several processes that
 * begin at once, one fixes it for all. Throws FACTORY_INVALID for a damaged one.
 */
export async function keptBuildTime(
  out: string,
  renew: boolean,
  host: Pick<Host, 'now' | 'env' | 'randomBytes'>,
): Promise<Date> {
  const given = fromEnvironment(host);
  if (given !== undefined) return given;
  const path = join(out, FILE);
  const kept = renew ? undefined : await loadKept(path);
  if (kept !== undefined) return kept;
  const now = new Date(Math.floor(host.now().getTime() / 1000) * 1000);
  const document = { apiVersion: 'edgefab.io/v1', kind: 'Batch', buildTime: now.toISOString() };
  const text = `${JSON.stringify(document, null, 2)}\n`;
  await mkdir(out, { recursive: true, mode: 0o700 });
  if (renew) {
    await writeFileDurably(path, text, 0o600);
    return now;
  }
  return (await writeOnce(path, text, 0o600, host)) ? now : ((await loadKept(path)) ?? now);
}

async function loadKept(path: string): Promise<Date | undefined> {
  try {
    const text = await readFile(path, 'utf8');
    const { value } = parseCheckedYaml(text, { file: path, code: 'FACTORY_INVALID', schema: batchSchema });
    return new Date(value.buildTime);
  } catch (error) {
    if (hasCode(error, 'ENOENT')) return undefined;
    throw error;
  }
}
