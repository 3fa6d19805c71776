import type { Ignition } from '../../boot/ignition/ignition.ts';
import { spillIgnition } from '../../boot/patch/spill-ignition.ts';
import { planSpill, type SpillFile } from '../../boot/patch/spill-plan.ts';
import type { StepReport } from '../../boot/patch/step.ts';
import type { EdgefabError } from '../../errors.ts';
import type { Factory } from '../factory.ts';
import type { PatchedSite } from '../patch-site.ts';
import type { Site } from '../site.ts';
import { withSpillAdvice } from './spill-advice.ts';
import { unsharedBy } from './unshared-by.ts';

/** A config that fits, and the files that were taken out of it for that, by path. */
export interface SpilledSite {
  readonly ignition: Ignition;
  readonly report: StepReport;
  readonly files: readonly SpillFile[];
}

/**
 * Takes out of a site's config what has to go for it to fit: the fewest files, those that take the most first.
 * `overfull` gives EMBED_AREA_FULL for a config that does not fit, undefined for one that does; `error` is what it
 * gave for the whole one. Throws EMBED_AREA_FULL, with what could be moved, when nothing may be or all is not enough.
 */
export async function spillSite(
  { sites }: Pick<Factory, 'sites'>,
  site: Site,
  { ignition, own }: Pick<PatchedSite, 'ignition' | 'own'>,
  { error, asked }: { readonly error: EdgefabError; readonly asked: boolean },
  overfull: (ignition: Ignition) => Promise<EdgefabError | undefined>,
): Promise<SpilledSite> {
  const plan = planSpill(ignition, own, (file) => unsharedBy(file, site, sites));
  const { candidates } = plan;
  if (!asked || candidates.length === 0) throw withSpillAdvice(error, site.name, plan, asked);
  const attempt = async (
    count: number,
  ): Promise<SpilledSite & { readonly left: EdgefabError | undefined }> => {
    const files = candidates.slice(0, count);
    const spilled = await spillIgnition(ignition, own, files);
    return { ...spilled, files: byPath(files), left: await overfull(spilled.ignition) };
  };
  let best = await attempt(candidates.length);
  if (best.left !== undefined) throw withSpillAdvice(best.left, site.name, plan, asked);
  // Compressing takes long: halve the range instead of adding one file after another.
  for (let tooFew = 0; best.files.length - tooFew > 1; ) {
    const tried = await attempt((tooFew + best.files.length) >> 1);
    if (tried.left === undefined) best = tried;
    else tooFew = tried.files.length;
  }
  return best;
}

function byPath(files: readonly SpillFile[]): SpillFile[] {
  return [...files].sort((a, b) => (a.path < b.path ? -1 : 1));
}
