import { Args } from '@oclif/core';
import { EdgefabError } from '../../errors.ts';
import { applyDelta } from '../../factory/apply-delta.ts';
import { realHost } from '../../host/real-host.ts';
import { EdgefabCommand } from '../terminal/edgefab-command.ts';
import { formatBytes } from '../terminal/format-amount.ts';

export default class CacheApply extends EdgefabCommand {
  static override summary = 'Bring an archive of cache export into a cache';
  static override description =
    'Checks first that the cache has everything the archive leaves out. Each blob is hashed on its way in; the new ' +
    'lock, its views and the state complete come last, so the cache stays what it was until then. Parts may be given ' +
    'together or one run after the other, in order: ends with 5 while some are still to come. Run it again after an ' +
    'interruption: it goes on where it stopped.';
  static override examples = [
    '<%= config.bin %> cache apply delta.tar /run/media/edgefab',
    '<%= config.bin %> cache apply delta-1of3.tar delta-2of3.tar delta-3of3.tar /run/media/edgefab',
  ];
  static override strict = false;
  static override args = {
    files: Args.string({
      name: 'FILE... CACHE',
      description: 'parts of one archive, then the cache (where its disk is mounted)',
      required: true,
    }),
  };

  async run(): Promise<unknown> {
    const { argv, flags } = await this.parse(CacheApply);
    this.begin(flags);
    const files = argv.map(String);
    const folder = files.pop();
    if (folder === undefined || files.length === 0) {
      throw new EdgefabError('cache apply needs the files of a delta and, last, the cache', {
        code: 'USAGE_INVALID',
      });
    }
    const progress = this.createProgress();
    const { cache, images, copiedBytes } = await applyDelta(
      files,
      folder,
      {
        signal: this.signal,
        onPlan: ({ copyBytes }) => progress.start('copying', copyBytes),
        onBytes: (bytes) => progress.advance(bytes),
      },
      realHost,
    ).finally(() => progress.end());
    this.print(`cache             ${folder}, complete, id ${cache.cacheId}`);
    this.print(`lock              ${cache.lock}`);
    this.print(`images            ${images}`);
    this.print(`copied            ${formatBytes(copiedBytes)}`);
    return { kind: 'CacheApply', folder, cache, images, copiedBytes };
  }
}
