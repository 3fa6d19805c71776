import { EdgefabError } from '../../../errors.ts';
import type { ImageFilter } from './image-filter.ts';

/** An image as filters see it. */
export interface FilterSubject {
  /** The whole reference; images of one reference are kept or dropped together. */
  readonly reference: string;
  /** Other names it goes by: `openshift/release:4.18.9-x86_64-etcd`, the mirror's name. */
  readonly aliases: readonly string[];
  /** Who pulls it before the cluster runs. */
  readonly requiredBy: readonly string[];
}

export interface DroppedImage<T extends FilterSubject> {
  readonly image: T;
  readonly filter: ImageFilter;
}

export interface FilterImpact<T extends FilterSubject> {
  readonly kept: readonly T[];
  readonly dropped: readonly DroppedImage<T>[];
  /** Those of `dropped` without which bootstrap or the installed node does not come up. */
  readonly breaking: readonly DroppedImage<T>[];
  /** Matched, yet kept, because the same image also goes by a name that no filter matches. */
  readonly shared: readonly DroppedImage<T>[];
  /** Filters that matched nothing: often a slip of the pen. */
  readonly unused: readonly ImageFilter[];
}

/** Tells what filters drop and what that breaks. Order is kept. */
export function filterImpact<T extends FilterSubject>(
  images: readonly T[],
  filters: readonly ImageFilter[],
): FilterImpact<T> {
  const used = new Set<ImageFilter>();
  const matches = images.map((image) => {
    const names = [image.reference, ...image.aliases];
    const matching = filters.filter(({ pattern }) => names.some((name) => pattern.test(name)));
    for (const filter of matching) used.add(filter);
    return { image, filter: matching[0] };
  });
  const wantedElsewhere = new Set(
    matches.filter(({ filter }) => filter === undefined).map(({ image }) => image.reference),
  );
  const kept: T[] = [];
  const dropped: DroppedImage<T>[] = [];
  const shared: DroppedImage<T>[] = [];
  for (const { image, filter } of matches) {
    const isShared = wantedElsewhere.has(image.reference);
    if (filter === undefined || isShared) kept.push(image);
    else dropped.push({ image, filter });
    if (filter !== undefined && isShared) shared.push({ image, filter });
  }
  return {
    kept,
    dropped,
    breaking: dropped.filter(({ image }) => image.requiredBy.length > 0),
    shared,
    unused: filters.filter((filter) => !used.has(filter)),
  };
}

/** Refuses filters that break the install, naming each image, who needs it and the filter. Throws FILTER_BREAKS_INSTALL. */
export function assertFiltersHarmless(impact: FilterImpact<FilterSubject>): void {
  if (impact.breaking.length === 0) return;
  const lines = impact.breaking.map(
    ({ image, filter }) =>
      `  ${image.aliases[0] ?? image.reference}: dropped by "${filter.text}" (${filter.where}), needed by ${image.requiredBy.join('; ')}`,
  );
  throw new EdgefabError(
    `filters drop ${lines.length} image${lines.length === 1 ? '' : 's'} the install cannot do without:\n${lines.join('\n')}`,
    {
      code: 'FILTER_BREAKS_INSTALL',
      suggestions: [
        'Narrow the patterns, for example \\baws\\b instead of aws',
        'Or pass --force-filter if these images come from somewhere else',
      ],
    },
  );
}
