import { Args, Flags } from '@oclif/core';
import { resetIso } from '../../boot/iso/reset-iso.ts';
import { realHost } from '../../host/real-host.ts';
import { EdgefabCommand } from '../terminal/edgefab-command.ts';

export default class IsoReset extends EdgefabCommand {
  static override summary =
    'Put a live ISO back to how it was made: nothing embedded, default kernel arguments';
  static override description =
    'Also the way out when an area cannot be read. The image gets its name once it was read back; --in-place needs ' +
    'room for a second copy while it works, and leaves an image alone that is as it was made.';
  static override examples = [
    '<%= config.bin %> iso reset bip.iso -o rhcos-live.iso',
    '<%= config.bin %> iso reset bip.iso --in-place',
  ];
  static override args = {
    iso: Args.string({ description: 'a CoreOS live ISO, plain or built', required: true }),
  };
  static override flags = {
    output: Flags.string({ char: 'o', description: 'the ISO to write', exactlyOne: ['output', 'in-place'] }),
    'in-place': Flags.boolean({ description: 'change the ISO itself' }),
    force: Flags.boolean({ description: 'replace OUTPUT when it exists' }),
  };

  async run(): Promise<unknown> {
    const { args, flags } = await this.parse(IsoReset);
    this.begin(flags);
    const target = flags.output === undefined ? {} : { target: flags.output };
    const reset = await resetIso({ source: args.iso, ...target, overwrite: flags.force }, realHost);
    if (reset.changed.length === 0) this.print(`${reset.target}: as it was made`);
    for (const what of reset.changed) this.print(`${reset.target}: ${what} reset`);
    return { kind: 'IsoReset', ...reset };
  }
}
