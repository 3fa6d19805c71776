/** Builds many sites' ISOs in one process, as a batch does: `node build-sites.ts LIVE_ISO IGNITIONS OUT`. */
import { randomBytes } from 'node:crypto';
import { mkdir, readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import pLimit from 'p-limit';
import { buildSiteIso } from '../../../src/boot/iso/build-site-iso.ts';
import { openIsoSource } from '../../../src/boot/iso/iso-source.ts';

/** Threads of libuv's pool: more at once only take memory. */
const AT_ONCE = 4;

const [iso = '', ignitions = '', out = ''] = process.argv.slice(2);
const source = await openIsoSource(iso);
const limit = pLimit(AT_ONCE);
const names = await readdir(ignitions);
await Promise.all(
  names.map((name) =>
    limit(async () => {
      const site = name.replace(/\.ign$/, '');
      await mkdir(join(out, site));
      await buildSiteIso(
        {
          source,
          target: join(out, site, `${site}.iso`),
          ignition: await readFile(join(ignitions, name)),
          kargs: { append: [`edgefab.site=${site}`] },
        },
        { randomBytes },
      );
    }),
  ),
);
