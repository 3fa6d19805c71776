import { Args, Flags } from '@oclif/core';
import { EdgefabError } from '../../errors.ts';
import { exportDelta } from '../../factory/export-delta.ts';
import { loadLockOf } from '../../mirror/store/load-cache.ts';
import { EdgefabCommand } from '../terminal/edgefab-command.ts';
import { formatBytes, parseSize } from '../terminal/format-amount.ts';

export default class CacheExport extends EdgefabCommand {
  static override summary = 'Write the blobs a site does not have yet to an archive';
  static override description =
    'Takes a complete cache and the lock of what the site has, and writes a tar with only the new blobs, the new lock, ' +
    'the files that boot sticks have no room for, and an index with the sha256 of each. With --split it comes in parts, each of which can be checked by itself. ' +
    'cache apply brings it into the cache at the site. Without --since the archive holds the whole cache.';
  static override examples = [
    '<%= config.bin %> cache export /run/media/edgefab --since site.lock -o delta.tar',
    '<%= config.bin %> cache export /run/media/edgefab --since site.lock -o delta.tar --split 4GB',
  ];
  static override args = {
    folder: Args.directory({ description: 'the complete cache (where its disk is mounted)', required: true }),
  };
  static override flags = {
    since: Flags.string({ description: 'what the site has: its edgefab.lock, or a cache' }),
    output: Flags.string({ char: 'o', description: 'the archive to write', required: true }),
    split: Flags.string({ description: 'most bytes of one part: 4GB, 700MB, 25GiB' }),
  };

  async run(): Promise<unknown> {
    const { args, flags } = await this.parse(CacheExport);
    this.begin(flags);
    const splitBytes = flags.split === undefined ? undefined : parseSize(flags.split);
    if (flags.split !== undefined && splitBytes === undefined) {
      throw new EdgefabError(`--split ${flags.split} is no size: want a number with MB, GB, MiB or GiB`, {
        code: 'USAGE_INVALID',
      });
    }
    const since = flags.since === undefined ? undefined : await loadLockOf(flags.since);
    const progress = this.createProgress();
    const { plan, files } = await exportDelta(args.folder, flags.output, {
      ...(since === undefined ? {} : { since }),
      ...(splitBytes === undefined ? {} : { splitBytes }),
      signal: this.signal,
      onPlan: ({ blobBytes, siteFileBytes }) => progress.start('writing', blobBytes + siteFileBytes),
      onBytes: (bytes) => progress.advance(bytes),
    }).finally(() => progress.end());
    for (const file of files) this.print(`${file.sha256}  ${file.path} (${formatBytes(file.sizeBytes)})`);
    const carried =
      plan.siteFiles === 0
        ? ''
        : ` and ${plan.siteFiles} files of sites, ${formatBytes(plan.siteFileBytes)},`;
    this.print(`${plan.blobs} blobs, ${formatBytes(plan.blobBytes)},${carried} in ${files.length} files`);
    this.print(`from lock ${plan.index.since ?? 'none'} to ${plan.index.lock}`);
    const { id, lock } = plan.index;
    const { blobs, blobBytes, siteFiles, siteFileBytes } = plan;
    return {
      kind: 'CacheExport',
      folder: args.folder,
      id,
      since: plan.index.since,
      lock,
      blobs,
      blobBytes,
      siteFiles,
      siteFileBytes,
      files,
    };
  }
}
