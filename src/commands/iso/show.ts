import { Args } from '@oclif/core';
import { NETWORK_FOLDER } from '../../boot/iso/initrd.ts';
import { inspectIso } from '../../boot/iso/inspect-iso.ts';
import { readIsoInitrd, readIsoKargs } from '../../boot/iso/read-iso.ts';
import { EdgefabCommand } from '../terminal/edgefab-command.ts';

export default class IsoShow extends EdgefabCommand {
  static override summary =
    'Show what is inside a CoreOS live ISO: its areas, how full they are, and what they hold';
  static override examples = ['<%= config.bin %> iso show out/bip/bip.iso'];
  static override args = {
    iso: Args.file({ description: 'a CoreOS live ISO, plain or built', required: true, exists: true }),
  };

  async run(): Promise<unknown> {
    const { args, flags } = await this.parse(IsoShow);
    this.begin(flags);
    const iso = await inspectIso(args.iso);
    const kargs = iso.kargs === undefined ? undefined : await readIsoKargs(iso);
    const embedded = [...(await readIsoInitrd(iso))].map(([path, bytes]) => ({
      path,
      sizeBytes: bytes.length,
    }));
    this.print(`volume        ${iso.volumeId}, ${iso.sizeBytes} bytes (${iso.generation})`);
    this.print(
      `embed area    ${iso.ignition.sizeBytes} bytes at ${iso.ignition.offset} (${iso.ignition.file})`,
    );
    if (embedded.length === 0) this.print('embedded      nothing');
    for (const { path, sizeBytes } of embedded) {
      const what = path.startsWith(`${NETWORK_FOLDER}/`) ? 'network ' : 'embedded';
      this.print(`${what}      ${path}, ${sizeBytes} bytes`);
    }
    if (kargs === undefined) {
      this.print('kernel args   this image has no area for them');
    } else {
      this.print(`kernel args   ${kargs.current}`);
      this.print(`  default     ${kargs.default}`);
      this.print(`  capacity    ${iso.kargs?.capacityBytes} bytes in ${iso.kargs?.areas.length} files`);
    }
    return { kind: 'Iso', ...iso, embedded, currentKargs: kargs?.current ?? null };
  }
}
