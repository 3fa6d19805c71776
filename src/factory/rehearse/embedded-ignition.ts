import type { Ignition } from '../../boot/ignition/ignition.ts';
import { parseIgnition } from '../../boot/ignition/parse-ignition.ts';
import { inspectIso } from '../../boot/iso/inspect-iso.ts';
import { readIsoIgnition } from '../../boot/iso/read-iso.ts';
import { EdgefabError } from '../../errors.ts';

/** Reads the config a site's ISO starts from. Throws ISO_INVALID where it has none, and what reading it throws. */
export async function embeddedIgnition(iso: string): Promise<Ignition> {
  const bytes = await readIsoIgnition(await inspectIso(iso));
  if (bytes === undefined) {
    throw new EdgefabError(`${iso} has no Ignition config embedded`, {
      code: 'ISO_INVALID',
      suggestions: ['Build the site again with edgefab iso'],
      place: { file: iso },
    });
  }
  return parseIgnition(bytes, `the config in ${iso}`);
}
