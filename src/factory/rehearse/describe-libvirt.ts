import { join, resolve } from 'node:path';
import type { Factory } from '../factory.ts';
import { loadReceipt } from '../receipt/load-receipt.ts';
import type { Site } from '../site.ts';
import { embeddedIgnition } from './embedded-ignition.ts';
import { type LibvirtFiles, libvirtFiles } from './libvirt-domain.ts';
import { installDiskOf } from './machine-parts.ts';
import type { MachineOptions } from './prepare-machine.ts';

/** Describes what was built for a site as a machine of libvirt. Throws what reading receipt and ISO throws. */
export async function describeLibvirt(
  { paths }: Pick<Factory, 'paths'>,
  site: Site,
  options: MachineOptions,
): Promise<LibvirtFiles> {
  const folder = resolve(paths.out, site.name);
  const receipt = await loadReceipt(join(folder, 'receipt.json'));
  const iso = join(folder, receipt.iso.file);
  const installDisk = installDiskOf(site, await embeddedIgnition(iso));
  return libvirtFiles(site, { ...options, disk: resolve(options.disk), iso, installDisk });
}
