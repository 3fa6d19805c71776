import { Flags } from '@oclif/core';
import { allowMissingFlag } from './allow-missing-flag.ts';
import { resolveFlags } from './resolve-flags.ts';

/** Flags of every command that builds sites. */
export const buildFlags = {
  filter: resolveFlags.filter,
  'force-filter': resolveFlags['force-filter'],
  'allow-missing': allowMissingFlag,
  'allow-short-life': Flags.boolean({
    description: 'build sticks too whose certificates end before certificates.shelfLife (7 days unless set)',
  }),
  spill: Flags.boolean({
    description:
      'when the config does not fit the embed area, move files of overlays and manifests that every site has, and that hold no secret, to the cache disk',
  }),
  renew: Flags.boolean({
    description:
      'begin anew: a new build time, and new Ignitions by openshift-install, with new keys, in place of those kept in out/',
  }),
};
