import { randomBytes } from 'node:crypto';
import { join } from 'node:path';
import { type DemoIsoOptions, makeCoreosIso } from './coreos-iso.ts';
import { tempFolder } from './temp-folder.ts';

/** What building an ISO needs of the machine. */
export const isoHost = { randomBytes: (size: number): Uint8Array => randomBytes(size) };

/** Makes a live ISO in a folder of its own, with a free name beside it to build to. */
export async function liveIso(options?: DemoIsoOptions): Promise<{ source: string; target: string }> {
  const folder = tempFolder();
  const source = join(folder, 'live.iso');
  await makeCoreosIso(source, options);
  return { source, target: join(folder, 'site.iso') };
}
