import { EdgefabError } from '../errors.ts';
import { nearMatch } from '../formats/near-match.ts';
import { quoteText } from '../formats/shown-text.ts';
import type { Factory } from './factory.ts';
import type { Site } from './site.ts';

/**
 * Picks sites by name, in the order of the factory; all of them when no name is given. Throws SITE_UNKNOWN
 * naming every name that is none, with the nearest one that is.
 */
export function selectSites(
  { file, sites }: Pick<Factory, 'file' | 'sites'>,
  names: readonly string[],
): Site[] {
  if (names.length === 0) return [...sites];
  const known = sites.map(({ name }) => name);
  const unknown = names.filter((name) => !known.includes(name));
  if (unknown.length > 0) {
    const near = unknown.flatMap((name) => nearMatch(name, known) ?? []);
    const what = unknown.map((name) => quoteText(name)).join(', ');
    throw new EdgefabError(
      `${file} has no site ${what}: it has ${known.slice(0, 20).join(', ')}${known.length > 20 ? `, … (${known.length})` : ''}`,
      {
        code: 'SITE_UNKNOWN',
        suggestions: near.length === 0 ? [] : [`Did you mean ${[...new Set(near)].join(', ')}?`],
        place: { file },
      },
    );
  }
  const wanted = new Set(names);
  return sites.filter(({ name }) => wanted.has(name));
}
