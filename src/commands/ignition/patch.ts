import { Args, Flags } from '@oclif/core';
import { loadIgnition } from '../../boot/ignition/load-ignition.ts';
import { serializeIgnition } from '../../boot/ignition/parse-ignition.ts';
import { patchIgnition } from '../../boot/patch/patch-ignition.ts';
import { EdgefabError } from '../../errors.ts';
import { preloadImages } from '../../factory/preload-images.ts';
import { loadLock } from '../../factory/resolve-lock.ts';
import { loadCacheFile } from '../../mirror/store/cache-file.ts';
import { storePaths } from '../../mirror/store/store-paths.ts';
import { writeFileDurably } from '../../mirror/store/write-file-durably.ts';
import { EdgefabCommand } from '../terminal/edgefab-command.ts';

export default class IgnitionPatch extends EdgefabCommand {
  static override summary =
    'Patch a bootstrap-in-place Ignition config so that the node installs from the cache disk';
  static override description =
    'Adds units and files, and one asserted edit of one line; installer text it does not know is refused, not mangled. ' +
    'Patching twice changes nothing more. OUTPUT holds the keys of the cluster and is written with mode 0600.';
  static override examples = [
    '<%= config.bin %> ignition patch bootstrap-in-place-for-live-iso.ign --hostname bip --cache /run/media/edgefab -o patched.ign',
  ];
  static override args = {
    file: Args.file({ description: 'the config openshift-install made', required: true, exists: true }),
  };
  static override flags = {
    hostname: Flags.string({ description: 'host name of the machine, in both phases', required: true }),
    'cache-mode': Flags.option({ options: ['preload', 'registry'] as const })({
      description: 'how images reach the machine; only preload exists yet',
      default: 'preload' as const,
    }),
    cache: Flags.directory({
      description: 'the cache whose images are to be loaded; without it none are',
      exists: true,
    }),
    'cache-label': Flags.string({ description: 'partition label of the cache disk', default: 'edgefab' }),
    'save-partlabel': Flags.string({
      description: 'partition the install keeps on its target disk',
      default: 'edgefab-node',
    }),
    output: Flags.string({ char: 'o', description: 'the config to write', required: true }),
  };

  async run(): Promise<unknown> {
    const { args, flags } = await this.parse(IgnitionPatch);
    this.begin(flags);
    const ignition = await loadIgnition(args.file);
    const cache = flags.cache === undefined ? undefined : await cacheContent(flags.cache);
    const patched = await patchIgnition(ignition, {
      hostname: flags.hostname,
      cacheMode: flags['cache-mode'],
      images: cache?.images,
      cacheLabel: flags['cache-label'],
      savePartlabel: flags['save-partlabel'],
      ...(cache === undefined ? {} : { cacheId: cache.cacheId }),
    });
    await writeFileDurably(flags.output, serializeIgnition(patched.ignition), 0o600);
    for (const step of patched.report) {
      this.print(`${step.name}: ${step.why}`);
      if (step.skipped !== undefined) this.print(`  skipped: ${step.skipped}`);
      else if (step.changes.length === 0) this.print('  nothing to change');
      for (const change of step.changes) this.print(`  ${change}`);
      for (const warning of step.warnings ?? []) this.say('warn', `${step.name}: ${warning}`);
    }
    return { kind: 'PatchReport', output: flags.output, steps: patched.report };
  }
}

/** A node told to load images that are not there would wait for ever, so only a complete cache will do. */
async function cacheContent(folder: string) {
  const cache = await loadCacheFile(folder);
  const lock = await loadLock(storePaths.lock(folder));
  if (cache?.state !== 'complete' || lock === undefined) {
    throw new EdgefabError(`${folder} is not a complete edgefab cache`, {
      code: 'CACHE_INCOMPLETE',
      suggestions: ['Run edgefab precache until it ends with status 0, then this command again'],
      place: { file: folder },
    });
  }
  return { cacheId: cache.cacheId, images: preloadImages(lock) };
}
