import { EdgefabError } from '../errors.ts';
import type { Site } from './site.ts';

/** What a site may ask for that this version would not do: leaving it out silently would fail at the site. */
function unsupportedKeys(site: Site): string[] {
  const { certificates, cache } = site;
  return [
    ...(certificates.validForMs === undefined ? [] : ['certificates.validFor']),
    ...(cache.serve === undefined ? [] : ['cache.serve']),
  ];
}

/** Refuses a site that asks for what does not exist yet. Throws MODE_UNSUPPORTED naming every key. */
export function refuseUnsupported(site: Site): void {
  const keys = unsupportedKeys(site);
  if (keys.length === 0) return;
  throw new EdgefabError(`site ${site.name} asks for what this version does not do yet: ${keys.join(', ')}`, {
    code: 'MODE_UNSUPPORTED',
    suggestions: ['Take these keys out of the site and of defaults, and do by hand what they stood for'],
    place: site.place,
  });
}
