import { Args, Flags } from '@oclif/core';
import { gcCache } from '../../factory/gc-cache.ts';
import { realHost } from '../../host/real-host.ts';
import { EdgefabCommand } from '../terminal/edgefab-command.ts';
import { formatBytes } from '../terminal/format-amount.ts';

export default class CacheGc extends EdgefabCommand {
  static override summary = 'Find what a cache holds and its lock does not name, and remove it when told to';
  static override description =
    'Blobs and views of earlier releases, partials nothing will go on from, files of runs that died. Only says what ' +
    'there is, unless --rm-stale is given.';
  static override examples = [
    '<%= config.bin %> cache gc /run/media/edgefab',
    '<%= config.bin %> cache gc /run/media/edgefab --rm-stale',
  ];
  static override args = {
    folder: Args.directory({ description: 'the cache (where its disk is mounted)', required: true }),
  };
  static override flags = {
    'rm-stale': Flags.boolean({ description: 'remove what is found' }),
  };

  async run(): Promise<unknown> {
    const { args, flags } = await this.parse(CacheGc);
    this.begin(flags);
    const removed = flags['rm-stale'];
    const stale = await gcCache(args.folder, removed, realHost);
    const bytes = stale.reduce((sum, item) => sum + item.bytes, 0);
    for (const item of stale)
      this.print(`${formatBytes(item.bytes).padStart(12)}  ${item.kind.padEnd(9)}  ${item.path}`);
    this.print(`${stale.length} stale, ${formatBytes(bytes)}${removed ? ': removed' : ''}`);
    if (!removed && stale.length > 0) this.say('info', 'Nothing was removed; --rm-stale does that.');
    return { kind: 'CacheGc', folder: args.folder, removed, bytes, stale };
  }
}
