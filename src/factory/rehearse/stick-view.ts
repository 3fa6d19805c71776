import { inspectIso } from '../../boot/iso/inspect-iso.ts';
import type { IsoImage } from '../../boot/iso/iso-image.ts';
import { checkKernelLine, editKargs, encodeKargsArea } from '../../boot/iso/kargs-text.ts';
import { writePatchedCopy } from '../../boot/iso/patched-copy.ts';
import type { Region } from '../../boot/iso/plan-site-iso.ts';
import { readIsoKargs } from '../../boot/iso/read-iso.ts';
import type { Host } from '../../host/host.ts';

/**
 * Without the guards against other programs on the same processor and without the audit log, which nothing here reads,
 * an emulated machine takes a quarter less time.
 */
const SPEED_KARGS: readonly string[] = ['mitigations=off', 'audit=0'];

/** The console on the first serial port, and root's shell on the second (kernel-command-line(7)). */
const CONSOLE_KARGS: readonly string[] = ['console=ttyS0,115200n8', 'systemd.debug_shell=ttyS1'];

/** What lets a rehearsal see an installed system. */
export const INSTALLED_KARGS: readonly string[] = [...CONSOLE_KARGS, ...SPEED_KARGS];

/** What lets a rehearsal see the live system, its initramfs' journal too, which ends where it fails instead of asking. */
export const REHEARSAL_KARGS: readonly string[] = [
  ...CONSOLE_KARGS,
  'rd.systemd.journald.forward_to_console=1',
  'rd.shell=0',
  'rd.emergency=poweroff',
  ...SPEED_KARGS,
];

/**
 * Writes a copy of a site's ISO that differs in its kernel arguments only. Throws EMBED_AREA_MISSING, KARGS_AREA_FULL
 * when the arguments have no place, and what `writePatchedCopy` throws.
 */
export async function writeStickView(
  iso: string,
  target: string,
  host: Pick<Host, 'randomBytes'>,
): Promise<IsoImage> {
  const image = await inspectIso(iso);
  const { current } = await readIsoKargs(image);
  const line = editKargs(current, { append: REHEARSAL_KARGS });
  checkKernelLine(line);
  const { kargs } = image;
  const regions = (kargs?.areas ?? []).map(
    (area): Region => ({
      what: `kernel argument area in /${area.file}`,
      offset: area.offset,
      bytes: encodeKargsArea(line, area, kargs?.capacityBytes ?? 0),
    }),
  );
  const { sizeBytes } = image;
  await writePatchedCopy({ source: iso, target, sizeBytes, regions, check: async () => undefined }, host);
  return image;
}
