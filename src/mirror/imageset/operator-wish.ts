import { EdgefabError } from '../../errors.ts';
import { quoteText } from '../../formats/shown-text.ts';

/** An operator to put into an image set: without a channel the newest version of each of its channels, as oc-mirror has it. */
export interface OperatorWish {
  /** `redhat`, `certified` or `community` for Red Hat's catalogs, or a catalog image. */
  readonly catalog: string;
  readonly name: string;
  readonly channel?: string;
  readonly version?: string;
}

const PART = /^[A-Za-z0-9][A-Za-z0-9._+-]*$/;

/** Parses NAME, NAME:CHANNEL or NAME:CHANNEL:VERSION. Throws USAGE_INVALID. */
export function parseOperatorWish(text: string, catalog: string): OperatorWish {
  const parts = text.split(':');
  const [name = '', channel, version] = parts;
  if (parts.length > 3 || !parts.every((part) => PART.test(part))) {
    throw new EdgefabError(
      `operator ${quoteText(text)} is not one: want NAME, NAME:CHANNEL or NAME:CHANNEL:VERSION`,
      {
        code: 'USAGE_INVALID',
        suggestions: ['For example lvms-operator,cluster-logging:stable-6.2'],
      },
    );
  }
  return {
    catalog,
    name,
    ...(channel === undefined ? {} : { channel }),
    ...(version === undefined ? {} : { version }),
  };
}
