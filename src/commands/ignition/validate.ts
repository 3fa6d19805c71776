import { Args } from '@oclif/core';
import { openButane } from '../../boot/ignition/butane-engine.ts';
import { loadIgnitionText } from '../../boot/ignition/load-ignition.ts';
import { validateIgnition } from '../../boot/ignition/validate-ignition.ts';
import { exitStatusOf } from '../../errors.ts';
import { formatFault } from '../../formats/faults-error.ts';
import { EdgefabCommand } from '../terminal/edgefab-command.ts';

export default class IgnitionValidate extends EdgefabCommand {
  static override summary = 'Say what is wrong with an Ignition config before a machine boots it';
  static override description =
    "Asks Ignition's own validator, and looks for what Ignition takes and the machine then suffers from: modes like 755 " +
    'written in decimal, files below files or links, units that name units nobody has or that are enabled without ' +
    '[Install], certificates and contents that cannot be read, and what does not fit the embed area of a live ISO. ' +
    'Status 0: no error (there may be warnings); 3: errors; 4: no error found, but this installation has no Ignition to ask.';
  static override examples = [
    '<%= config.bin %> ignition validate bootstrap-in-place-for-live-iso.ign',
    '<%= config.bin %> ignition validate patched.ign --json',
  ];
  static override args = {
    file: Args.file({ description: 'an Ignition config', required: true }),
  };

  async run(): Promise<unknown> {
    const { args, flags } = await this.parse(IgnitionValidate);
    this.begin(flags);
    const { findings, missing } = await validateIgnition(
      await loadIgnitionText(args.file),
      args.file,
      await openButane(),
    );
    const errors = findings.filter(({ level }) => level === 'error').length;
    for (const finding of findings) this.print(`${finding.level}: ${formatFault(finding)}`);
    this.print(`${errors} errors, ${findings.length - errors} warnings`);
    if (missing !== undefined) this.say('warn', [missing.message, ...missing.suggestions].join('\n  try: '));
    if (errors > 0) process.exitCode = exitStatusOf('IGNITION_INVALID');
    else if (missing !== undefined) process.exitCode = missing.exitCode;
    return {
      kind: 'IgnitionValidation',
      file: args.file,
      valid: errors === 0 && missing === undefined,
      askedIgnition: missing === undefined,
      findings,
    };
  }
}
