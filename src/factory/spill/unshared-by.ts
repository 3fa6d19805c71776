import { basename } from 'node:path';
import type { OwnFile } from '../../boot/patch/own-content.ts';
import type { Site } from '../site.ts';

/** As many names of sites as a line takes. */
const SHOWN = 3;

/**
 * Says which sites of a factory have none of the files that a file of this site comes from; undefined when all have
 * the same: what every machine gets is no secret of one.
 */
export function unsharedBy(
  { path, kind, from }: OwnFile,
  site: Pick<Site, 'overlays' | 'manifests'>,
  sites: readonly Pick<Site, 'name' | 'overlays' | 'manifests'>[],
): string | undefined {
  for (const name of from) {
    // Manifests go by their names without the folder; of two with one name the patch refuses the second.
    const source = site[kind].find((each) => each === name || basename(each) === name);
    if (source === undefined) return `it is not known which of the site's ${kind} brings ${path}`;
    const without = sites.filter((each) => !each[kind].includes(source)).map((each) => each.name);
    if (without.length > 0) {
      const more = without.length > SHOWN ? ` and ${without.length - SHOWN} more` : '';
      const which = `${without.slice(0, SHOWN).join(', ')}${more}`;
      return `${source} is not one of the ${kind} of every site (${which} without it)`;
    }
  }
  return undefined;
}
