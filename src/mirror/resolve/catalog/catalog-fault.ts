import { EdgefabError, type Place } from '../../../errors.ts';

/** Makes the error for a catalog that is not what it should be: `catalog WHERE: WHAT`. */
export function catalogFault(where: string, what: string, place: Place = {}, cause?: unknown): EdgefabError {
  return new EdgefabError(`catalog ${where}: ${what}`, {
    code: 'CATALOG_INVALID',
    place: { image: where, ...place },
    ...(cause === undefined ? {} : { cause }),
  });
}
