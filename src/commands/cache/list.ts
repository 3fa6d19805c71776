import { Args } from '@oclif/core';
import { uniqueBlobs } from '../../mirror/plan/plan.ts';
import { heldBlobs } from '../../mirror/store/held-blobs.ts';
import { listImages } from '../../mirror/store/list-images.ts';
import { loadCache } from '../../mirror/store/load-cache.ts';
import { listSiteFiles } from '../../mirror/store/site-files.ts';
import { EdgefabCommand } from '../terminal/edgefab-command.ts';
import { formatBytes } from '../terminal/format-amount.ts';

export default class CacheList extends EdgefabCommand {
  static override summary = 'List the images of a cache, why each is there and what it takes';
  static override description =
    'One line an image: bytes, bytes no other image shares, roles, name. Reads the lock and looks at file sizes; ' +
    'cache verify is what hashes.';
  static override examples = ['<%= config.bin %> cache list /run/media/edgefab'];
  static override args = {
    folder: Args.directory({ description: 'the cache (where its disk is mounted)', required: true }),
  };

  async run(): Promise<unknown> {
    const { args, flags } = await this.parse(CacheList);
    this.begin(flags);
    const { cache, lock } = await loadCache(args.folder);
    const images = listImages(lock.images);
    const blobs = uniqueBlobs(lock.images);
    const held = await heldBlobs(args.folder, blobs);
    const uniqueBytes = blobs.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0);
    const heldBytes = blobs.reduce(
      (sum, { digest, sizeBytes }) => sum + (held.has(digest) ? sizeBytes : 0),
      0,
    );
    for (const image of images) {
      const amounts = [image.sizeBytes, image.uniqueBytes].map((bytes) => formatBytes(bytes).padStart(12));
      this.print(`${amounts.join(' ')}  ${image.roles.join(',').padEnd(10)}  ${image.name}`);
    }
    this.print(
      `${images.length} images, ${blobs.length} blobs, ${formatBytes(uniqueBytes)}, ${formatBytes(heldBytes)} of it here; ${cache.state}`,
    );
    const { files } = await listSiteFiles(args.folder);
    if (files.length > 0) {
      const filesBytes = files.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0);
      this.print(`${files.length} files that boot sticks have no room for, ${formatBytes(filesBytes)}`);
    }
    return {
      kind: 'CacheList',
      folder: args.folder,
      cache,
      release: lock.release,
      blobs: blobs.length,
      uniqueBytes,
      heldBytes,
      images,
      files,
    };
  }
}
