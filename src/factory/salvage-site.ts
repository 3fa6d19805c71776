import { z } from 'zod/v4';
import { type SiteEntry, siteEntrySchema } from './site-schema.ts';

function soundKeys(raw: unknown, schema: z.core.$ZodType): unknown {
  const { def } = (schema as z.core.$ZodTypes)._zod;
  if (def.type === 'optional') return soundKeys(raw, def.innerType);
  if (def.type !== 'object' || typeof raw !== 'object' || raw === null) return undefined;
  const kept: Record<string, unknown> = {};
  for (const [key, inner] of Object.entries(def.shape)) {
    if (!Object.hasOwn(raw, key)) continue;
    const value: unknown = (raw as Record<string, unknown>)[key];
    kept[key] = z.safeParse(inner, value).success ? value : soundKeys(value, inner);
  }
  return kept;
}

/**
 * Keeps what is sound of a site entry that has faults, so that its names and addresses are still compared
 * with those of other sites; undefined when not even its name is.
 */
export function salvageSite(raw: unknown): SiteEntry | undefined {
  const result = siteEntrySchema.safeParse(soundKeys(raw, siteEntrySchema));
  return result.success ? result.data : undefined;
}
