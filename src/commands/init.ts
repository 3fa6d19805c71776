import { join } from 'node:path';
import { Args } from '@oclif/core';
import { EXAMPLE_FACTORY, writeNewFactory } from '../factory/new-factory.ts';
import { EdgefabCommand } from './terminal/edgefab-command.ts';

export default class Init extends EdgefabCommand {
  static override summary =
    'Write a new factory: factory.yaml and what it names, with comments, ready to be edited';
  static override description = 'Never replaces a file.';
  static override examples = ['<%= config.bin %> init', '<%= config.bin %> init my-factory'];
  static override args = { folder: Args.string({ description: 'where to write it', default: '.' }) };

  async run(): Promise<unknown> {
    const { args, flags } = await this.parse(Init);
    this.begin(flags);
    const files = await writeNewFactory(args.folder, EXAMPLE_FACTORY);
    for (const name of files) this.print(join(args.folder, name));
    this.say(
      'info',
      `Next: edit ${join(args.folder, 'factory.yaml')}, then run edgefab doctor and edgefab plan there`,
    );
    return { kind: 'NewFactory', folder: args.folder, files };
  }
}
