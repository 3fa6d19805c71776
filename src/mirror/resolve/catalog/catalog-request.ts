import { EdgefabError } from '../../../errors.ts';
import { nearMatch } from '../../../formats/near-match.ts';

/** Bounds on versions, as an ImageSetConfiguration gives them for a package or a channel. */
export interface VersionBounds {
  readonly minVersion?: string;
  readonly maxVersion?: string;
  /** v1alpha2 only. */
  readonly minBundle?: string;
}

export interface ChannelRequest extends VersionBounds {
  readonly name: string;
}

export interface PackageRequest extends VersionBounds {
  readonly name: string;
  readonly defaultChannel?: string;
  readonly channels?: readonly ChannelRequest[];
  /** Bundles by name, in place of channels and versions. */
  readonly selectedBundles?: readonly { readonly name: string }[];
}

/** What is wanted of a catalog: one item of `mirror.operators`. */
export interface CatalogRequest {
  readonly full?: boolean;
  readonly packages?: readonly PackageRequest[];
  /** Adds the bundles that provide required APIs and packages, as v1alpha2 does unless `skipDependencies` is set. */
  readonly followDependencies?: boolean;
}

/** Which oc-mirror's rules decide: those of the ImageSetConfiguration's apiVersion. */
export type CatalogSemantics = 'v1alpha2' | 'v2alpha1';

/** Names shown in a message; a full catalog has hundreds. */
const SHOWN = 30;

/** Makes the error for a name the catalog does not have, with those it has and the one nearest to `name`. */
export function unknownContent(
  where: string,
  what: string,
  name: string,
  existing: readonly string[],
): EdgefabError {
  const near = nearMatch(name, existing);
  const more = existing.length > SHOWN ? `, … (${existing.length} in all)` : '';
  const list = existing.length === 0 ? 'none' : `${existing.slice(0, SHOWN).join(', ')}${more}`;
  return new EdgefabError(`catalog ${where} has no ${what}; there are: ${list}`, {
    code: 'CATALOG_CONTENT_UNKNOWN',
    suggestions: near === undefined ? [] : [`Did you mean "${near}"?`],
    place: { image: where },
  });
}

/** Makes the error for a request that cannot be met, whatever the catalog holds. */
export function badRequest(where: string, what: string, suggestions: readonly string[] = []): EdgefabError {
  return new EdgefabError(`operators of catalog ${where}: ${what}`, {
    code: 'CATALOG_FILTER_INVALID',
    suggestions,
    place: { image: where },
  });
}
