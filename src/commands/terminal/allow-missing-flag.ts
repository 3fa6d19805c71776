import { Flags } from '@oclif/core';
import { IMAGE_ROLES } from '../../mirror/resolve/lock.ts';

/** `--allow-missing ROLE`, once for each role whose images a site will get elsewhere. */
export const allowMissingFlag = Flags.option({ options: IMAGE_ROLES, multiple: true })({
  description: 'images of this role may be missing: the site has a network for them',
  default: [],
});
