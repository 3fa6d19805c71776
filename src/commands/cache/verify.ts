import { Args } from '@oclif/core';
import { EdgefabError } from '../../errors.ts';
import { type CacheFault, verifyCache } from '../../mirror/store/verify-cache.ts';
import { EdgefabCommand } from '../terminal/edgefab-command.ts';
import { formatBytes } from '../terminal/format-amount.ts';

export default class CacheVerify extends EdgefabCommand {
  static override summary = 'Hash every byte of a cache again and say what is wrong with it';
  static override description =
    'Reads the medium, not the memory of what was written: each blob its lock names is hashed. Ends with 0 when ' +
    'everything is there, 5 when something is missing, 6 when bytes are wrong.';
  static override examples = ['<%= config.bin %> cache verify /run/media/edgefab'];
  static override args = {
    folder: Args.directory({ description: 'the cache (where its disk is mounted)', required: true }),
  };

  async run(): Promise<unknown> {
    const { args, flags } = await this.parse(CacheVerify);
    this.begin(flags);
    const progress = this.createProgress();
    progress.start('verifying', 0);
    const report = await verifyCache(args.folder, {
      parallel: 2,
      signal: this.signal,
      onBytes: (bytes) => progress.advance(bytes),
    }).finally(() => progress.end());
    for (const fault of report.strays) this.say('warn', `${fault.path} belongs to no image of the lock`);
    const [first] = report.faults;
    if (first !== undefined) throw verifyError(args.folder, report.faults);
    this.print(
      `${report.images} images, ${report.blobs} blobs, ${formatBytes(report.bytes)}: every byte is what it claims to be`,
    );
    this.print(`cache ${report.cache.cacheId}, lock ${report.cache.lock}`);
    return { kind: 'CacheReport', folder: args.folder, ...report };
  }
}

/** Wrong bytes outrank missing ones. */
function verifyError(folder: string, faults: readonly CacheFault[]): EdgefabError {
  const wrong = faults.some((fault) => fault.kind === 'digest' || fault.kind === 'size');
  const lines = faults.slice(0, 50).map((fault) => {
    const [user] = fault.images;
    return `  ${fault.path}: found ${fault.got}, expected ${fault.want}${user === undefined ? '' : ` (needed by ${user})`}`;
  });
  if (faults.length > lines.length) lines.push(`  … and ${faults.length - lines.length} more`);
  return new EdgefabError(`the cache at ${folder} has ${faults.length} faults:\n${lines.join('\n')}`, {
    code: wrong ? 'BLOB_DIGEST_MISMATCH' : 'BLOB_MISSING',
    suggestions: ['Delete the files named here and run edgefab precache again: it fetches only those'],
    place: { file: folder },
    faults: faults.map((fault) => ({
      place: { file: fault.path },
      message: `${fault.kind}: found ${fault.got}, expected ${fault.want}`,
    })),
  });
}
