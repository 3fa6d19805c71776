/** One entry of a channel: a bundle's name and its place in the update graph. */
export interface ChannelEntry {
  readonly name: string;
  readonly replaces?: string;
  readonly skips?: readonly string[];
  readonly skipRange?: string;
}

export interface CatalogChannel {
  readonly name: string;
  readonly entries: readonly ChannelEntry[];
  /** Of the property `olm.channel`: the highest one becomes the default when the default channel is left out. */
  readonly priority?: number;
}

export interface RelatedImage {
  readonly name: string;
  readonly image: string;
}

/** A package and the range of its versions (`skipRange` syntax) that a bundle needs; no range means any. */
export interface RequiredPackage {
  readonly name: string;
  readonly range?: string;
}

export interface CatalogBundle {
  readonly name: string;
  readonly image: string;
  readonly version: string;
  readonly relatedImages: readonly RelatedImage[];
  /** The APIs it serves and needs, as GROUP/VERSION/KIND (properties `olm.gvk`, `olm.gvk.required`). */
  readonly provides: readonly string[];
  readonly requires: readonly string[];
  readonly requiredPackages: readonly RequiredPackage[];
  readonly displayName?: string;
}

export interface CatalogPackage {
  readonly name: string;
  /** Empty when the catalog names none. */
  readonly defaultChannel: string;
  readonly channels: readonly CatalogChannel[];
  readonly bundles: readonly CatalogBundle[];
}

/** The essentials of a file-based catalog: what is needed to choose bundles and to name their images. */
export interface Catalog {
  /** The image it was read from, for messages. */
  readonly where: string;
  /** By name, sorted. */
  readonly packages: ReadonlyMap<string, CatalogPackage>;
}

/** Orders names by code unit, the same on every machine. */
export function byName(a: { readonly name: string }, b: { readonly name: string }): number {
  return a.name < b.name ? -1 : a.name > b.name ? 1 : 0;
}
