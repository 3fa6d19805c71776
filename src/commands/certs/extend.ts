import { Args, Flags } from '@oclif/core';
import { ROTATE_COMMANDS } from '../../boot/certs/life-warnings.ts';
import { buildTime } from '../../factory/build-time.ts';
import { extendFile } from '../../factory/extend-file.ts';
import { realHost } from '../../host/real-host.ts';
import { parseDuration } from '../terminal/duration-flag.ts';
import { EdgefabCommand } from '../terminal/edgefab-command.ts';
import { formatTime } from '../terminal/format-time.ts';
import { tableLines } from '../terminal/table.ts';

export default class CertsExtend extends EdgefabCommand {
  static override summary =
    'Make the certificates of an Ignition config last, so that a stick can wait on the shelf';
  static override description =
    'Signs every certificate that would end too early again, with the keys that are in the config, wherever it stands. ' +
    'Only validity, serial number and signature change; the result is proved before it is written. OUTPUT holds the keys ' +
    'of the cluster and is written with mode 0600. A longer life is a longer time in which a lost stick can be misused: ' +
    'the command says what that means, and what to run after the install. SOURCE_DATE_EPOCH sets the time to count from.';
  static override examples = [
    '<%= config.bin %> certs extend bootstrap-in-place-for-live-iso.ign --valid-for 30d -o extended.ign',
  ];
  static override args = {
    file: Args.file({ description: 'an Ignition config', required: true }),
  };
  static override flags = {
    'valid-for': Flags.string({
      description: 'how long from now they are to last: 30d, 1y; at most 10y',
      required: true,
    }),
    'allow-shorter': Flags.boolean({
      description:
        'do what can be done where some certificate cannot last so long; without it that is refused',
    }),
    output: Flags.string({ char: 'o', description: 'the config to write', required: true }),
  };

  async run(): Promise<unknown> {
    const { args, flags } = await this.parse(CertsExtend);
    this.begin(flags);
    const { changes, short, warnings } = await extendFile(args.file, flags.output, {
      validForMs: parseDuration('--valid-for', flags['valid-for']),
      now: buildTime(realHost),
      allowShorter: flags['allow-shorter'],
    });
    if (changes.length === 0) this.print('nothing to change: every certificate lasts that long already');
    else {
      const rows = changes.map(({ subject, kind, keyType, paths, before, after }) => [
        paths[0] ?? '',
        String(paths.length),
        subject,
        kind,
        keyType,
        formatTime(before.notAfter),
        formatTime(after.notBefore),
        formatTime(after.notAfter),
      ]);
      const headings = ['path', 'places', 'subject', 'kind', 'key', 'was until', 'now from', 'now until'];
      for (const line of tableLines(headings, rows)) this.print(line);
      this.print();
      this.print(
        `proved: ${changes.length} certificates verify where they are used, and nothing else changed`,
      );
      this.print(
        'after the install, make what is on the stick worthless (docs/certificates.md says when the last is safe):',
      );
      for (const command of ROTATE_COMMANDS) this.print(`  ${command}`);
    }
    for (const warning of warnings) this.say('warn', warning);
    return {
      kind: 'CertificateExtension',
      output: flags.output,
      changes,
      short,
      warnings,
      rotate: ROTATE_COMMANDS,
    };
  }
}
