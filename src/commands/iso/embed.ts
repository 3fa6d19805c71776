import { Args, Flags } from '@oclif/core';
import { loadIgnition } from '../../boot/ignition/load-ignition.ts';
import { serializeIgnition } from '../../boot/ignition/parse-ignition.ts';
import { buildSiteIso } from '../../boot/iso/build-site-iso.ts';
import { realHost } from '../../host/real-host.ts';
import { EdgefabCommand } from '../terminal/edgefab-command.ts';

export default class IsoEmbed extends EdgefabCommand {
  static override summary = 'Embed an Ignition config and kernel arguments into a copy of a CoreOS live ISO';
  static override description =
    'The input is only read. What was written is read back before the output gets its name.';
  static override examples = [
    '<%= config.bin %> iso embed rhcos-live.iso --ignition patched.ign --append-karg ip=eth0:dhcp -o bip.iso',
  ];
  static override args = { iso: Args.file({ description: 'the live ISO', required: true, exists: true }) };
  static override flags = {
    ignition: Flags.file({ description: 'the Ignition config to embed', required: true, exists: true }),
    'append-karg': Flags.string({
      description: 'kernel argument to add',
      multiple: true,
      multipleNonGreedy: true,
      default: [],
    }),
    'delete-karg': Flags.string({
      description: 'kernel argument to remove',
      multiple: true,
      multipleNonGreedy: true,
      default: [],
    }),
    output: Flags.string({ char: 'o', description: 'the ISO to write', required: true }),
    force: Flags.boolean({ description: 'replace what is embedded already, and OUTPUT when it exists' }),
  };

  async run(): Promise<unknown> {
    const { args, flags } = await this.parse(IsoEmbed);
    this.begin(flags);
    const ignition = await loadIgnition(flags.ignition);
    const { 'append-karg': append, 'delete-karg': remove } = flags;
    const receipt = await buildSiteIso(
      {
        source: args.iso,
        target: flags.output,
        ignition: serializeIgnition(ignition),
        ...(append.length + remove.length === 0 ? {} : { kargs: { append, delete: remove } }),
        force: flags.force,
        overwrite: flags.force,
      },
      realHost,
    );
    this.print(`${receipt.target}: ${receipt.sizeBytes} bytes, volume ${receipt.volumeId}`);
    if (receipt.ignition !== undefined) {
      const { compressedBytes, areaBytes, compression } = receipt.ignition;
      this.print(`embed area    ${compressedBytes} of ${areaBytes} bytes (${compression})`);
    }
    if (receipt.kargs !== undefined) {
      const { after, usedBytes, capacityBytes } = receipt.kargs;
      this.print(`kernel args   ${after}`);
      this.print(`args area     ${usedBytes} of ${capacityBytes} bytes`);
    }
    return { kind: 'IsoReceipt', ...receipt };
  }
}
