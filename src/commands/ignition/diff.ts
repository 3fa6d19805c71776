import { Args } from '@oclif/core';
import { diffIgnition } from '../../boot/ignition/diff-ignition.ts';
import { loadIgnition } from '../../boot/ignition/load-ignition.ts';
import { EdgefabCommand } from '../terminal/edgefab-command.ts';

export default class IgnitionDiff extends EdgefabCommand {
  static override summary = 'Say exactly what differs between two Ignition configs, secrets masked';
  static override examples = ['<%= config.bin %> ignition diff before.ign after.ign'];
  static override args = {
    a: Args.file({ description: 'the config before', required: true }),
    b: Args.file({ description: 'the config after', required: true }),
  };

  async run(): Promise<unknown> {
    const { args, flags } = await this.parse(IgnitionDiff);
    this.begin(flags);
    const changes = diffIgnition(await loadIgnition(args.a), await loadIgnition(args.b));
    if (changes.length === 0) this.print('no difference');
    for (const { kind, what, path, detail } of changes) {
      this.print(`${kind} ${what} ${path}`);
      for (const line of detail) this.print(`  ${line}`);
    }
    return { kind: 'IgnitionDiff', changes };
  }
}
