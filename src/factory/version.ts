import { packagedText } from '../packaged.ts';

const found = JSON.parse(packagedText('package.json')) as {
  version: string;
};

/** The version of this edgefab, as in its package.json. */
export const EDGEFAB_VERSION = found.version;
