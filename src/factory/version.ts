import { readFileSync } from 'node:fs';

const found = JSON.parse(readFileSync(new URL('../../package.json', import.meta.url), 'utf8')) as {
  version: string;
};

/** The version of this edgefab, as in its package.json. */
export const EDGEFAB_VERSION = found.version;
