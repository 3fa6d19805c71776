import { Args } from '@oclif/core';
import { diffImages } from '../../mirror/store/diff-images.ts';
import { loadLockOf } from '../../mirror/store/load-cache.ts';
import { EdgefabCommand } from '../terminal/edgefab-command.ts';
import { formatBytes } from '../terminal/format-amount.ts';

export default class CacheDiff extends EdgefabCommand {
  static override summary = 'Say which images and how many bytes lead from one cache to another';
  static override description =
    'A and B are caches or lock files. Bytes are of unique configs and layers: what cache export --since A carries, ' +
    'but for manifests.';
  static override examples = [
    '<%= config.bin %> cache diff /run/media/edgefab new/edgefab.lock',
    '<%= config.bin %> cache diff site-a.lock site-b.lock --json',
  ];
  static override args = {
    a: Args.string({ description: 'what there is: a cache or an edgefab.lock', required: true }),
    b: Args.string({ description: 'what there is to be: a cache or an edgefab.lock', required: true }),
  };

  async run(): Promise<unknown> {
    const { args, flags } = await this.parse(CacheDiff);
    this.begin(flags);
    const [before, after] = [await loadLockOf(args.a), await loadLockOf(args.b)];
    const diff = diffImages(before.images, after.images);
    for (const { name, uniqueBytes } of diff.removed)
      this.print(`- ${name} (${formatBytes(uniqueBytes)} of its own)`);
    for (const { name, uniqueBytes } of diff.added)
      this.print(`+ ${name} (${formatBytes(uniqueBytes)} of its own)`);
    this.print(
      `images            ${diff.added.length} new, ${diff.removed.length} gone, ${diff.kept} the same`,
    );
    this.print(`new bytes         ${formatBytes(diff.addedBytes)} in ${diff.addedBlobs} blobs`);
    this.print(`bytes gone        ${formatBytes(diff.removedBytes)} in ${diff.removedBlobs} blobs`);
    this.print(`bytes shared      ${formatBytes(diff.sharedBytes)}`);
    return { kind: 'CacheDiff', a: args.a, b: args.b, ...diff };
  }
}
