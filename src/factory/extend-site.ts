import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { type Extension, extendCertificates } from '../boot/certs/extend-certificates.ts';
import type { Ignition } from '../boot/ignition/ignition.ts';
import { loadIgnition } from '../boot/ignition/load-ignition.ts';
import { serializeIgnition } from '../boot/ignition/parse-ignition.ts';
import { EdgefabError, hasCode } from '../errors.ts';
import { writeFileDurably } from '../mirror/store/write-file-durably.ts';
import type { Site } from './site.ts';

/** The site's config after its certificates were extended, kept because an ECDSA signature never comes out twice. */
const KEPT = 'extended.ign';

type Extended = Pick<Extension, 'ignition' | 'warnings'>;

/** Makes a site's certificates last as long as it wants, from the time of the build on; as they are when it does not say. */
export function extendFor(
  ignition: Ignition,
  { certificates }: Pick<Site, 'certificates'>,
  buildTime: Date,
  earlier?: Ignition,
): Extended {
  const { validForMs } = certificates;
  if (validForMs === undefined) return { ignition, warnings: [] };
  return extendCertificates(ignition, { validForMs, now: buildTime, earlier });
}

/** Does so with what an earlier build of the same config gave, and keeps the result beside it (mode 0600). */
export async function extendKept(
  ignition: Ignition,
  site: Pick<Site, 'certificates'>,
  folder: string,
  buildTime: Date,
): Promise<Extended> {
  if (site.certificates.validForMs === undefined) return extendFor(ignition, site, buildTime);
  const path = join(folder, KEPT);
  const extended = extendFor(ignition, site, buildTime, await loadKept(path));
  await mkdir(folder, { recursive: true, mode: 0o700 });
  await writeFileDurably(path, serializeIgnition(extended.ignition), 0o600);
  return extended;
}

async function loadKept(path: string): Promise<Ignition | undefined> {
  try {
    return await loadIgnition(path);
  } catch (error) {
    if (error instanceof EdgefabError && hasCode(error.cause, 'ENOENT')) return undefined;
    throw error;
  }
}
