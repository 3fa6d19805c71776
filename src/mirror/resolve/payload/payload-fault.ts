import { EdgefabError } from '../../../errors.ts';

/** Makes the PAYLOAD_INVALID error of one release image. */
export function payloadFault(
  where: string,
  what: string,
  more: { readonly cause?: unknown; readonly suggestions?: readonly string[] } = {},
): EdgefabError {
  return new EdgefabError(`release payload ${where}: ${what}`, {
    code: 'PAYLOAD_INVALID',
    place: { image: where },
    ...more,
  });
}
