import { Args, Flags } from '@oclif/core';
import { copyCache } from '../../factory/copy-cache.ts';
import { realHost } from '../../host/real-host.ts';
import { EdgefabCommand } from '../terminal/edgefab-command.ts';
import { formatBytes } from '../terminal/format-amount.ts';

export default class CacheCopy extends EdgefabCommand {
  static override summary = 'Copy a cache to another disk, hashing every byte on its way';
  static override description =
    "From the USB disk to the machine's own, for cache.location: installDisk, or to a second USB disk. What is there " +
    'already stays; run it again after an interruption: it goes on where it stopped. The copy has the id of the original, so ' +
    'the same sticks take it. Not needed for cache.location: usb, which serves from the USB disk.';
  static override examples = [
    '<%= config.bin %> cache copy /run/media/edgefab /run/media/edgefab-node',
    '<%= config.bin %> cache copy /run/media/edgefab /mnt/second --parallel 2',
  ];
  static override args = {
    from: Args.directory({ description: 'a complete cache (where its disk is mounted)', required: true }),
    to: Args.string({ description: 'where the copy goes (where its disk is mounted)', required: true }),
  };
  static override flags = {
    parallel: Flags.integer({ description: 'blobs copied at once', default: 4, min: 1, max: 32 }),
  };

  async run(): Promise<unknown> {
    const { args, flags } = await this.parse(CacheCopy);
    this.begin(flags);
    const progress = this.createProgress();
    const startedMs = Date.now();
    const { cache, plan, result } = await copyCache(
      args.from,
      args.to,
      {
        parallel: flags.parallel,
        retryTimes: 1,
        signal: this.signal,
        onPlan: ({ uniqueBytes }) => progress.start('copying', uniqueBytes),
        onBytes: (bytes, from) => progress.advance(bytes, from),
        onEvent: (event) => progress.tell(event),
      },
      realHost,
    ).finally(() => progress.end());
    const seconds = (Date.now() - startedMs) / 1000;
    this.print(`cache             ${args.to}, complete, id ${cache.cacheId}`);
    this.print(`images            ${plan.images}`);
    this.print(`copied            ${formatBytes(result.fetchedBytes)} in ${seconds.toFixed(1)} s`);
    this.print(`already there     ${formatBytes(result.heldBytes)}`);
    return {
      kind: 'CacheCopy',
      from: args.from,
      to: args.to,
      cache,
      images: plan.images,
      copiedBytes: result.fetchedBytes,
      heldBytes: result.heldBytes,
      seconds,
    };
  }
}
