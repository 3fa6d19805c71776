import { Flags } from '@oclif/core';
import { loadFactory } from '../factory/load.ts';
import { factoryRequest, lockRequest } from '../factory/mirror-request.ts';
import { nameImages } from '../factory/name-images.ts';
import { resolveLock } from '../factory/resolve-lock.ts';
import { writeLock } from '../factory/write-lock.ts';
import { realHost } from '../host/real-host.ts';
import { planPull } from '../mirror/plan/plan.ts';
import type { ImageSetImages } from '../mirror/resolve/image-set-images.ts';
import { IMAGE_ROLES, lockId } from '../mirror/resolve/lock.ts';
import { shareReferences } from '../mirror/resolve/resolve.ts';
import { EdgefabCommand } from './terminal/edgefab-command.ts';
import { formatBytes } from './terminal/format-amount.ts';
import { openRegistry, registryFlags } from './terminal/registry-flags.ts';
import { imageSetArgs, lockOptions, requestOptions, resolveFlags } from './terminal/resolve-flags.ts';

export default class Resolve extends EdgefabCommand {
  static override summary = 'Turn an image set into a lock that names every byte by digest';
  static override description =
    'Reads update graphs, release payloads, catalogs and manifests, and no image. A lock that is there is kept: ' +
    'with --update it is made anew; without, a lock that no longer fits what is wanted is said to be stale ' +
    '(exit status 4). With --dry-run it prints the names of the images and stops: it asks for none of their manifests, ' +
    'looks at no lock and writes none. Without IMAGESET it does what factory.yaml says.';
  static override examples = [
    '<%= config.bin %> resolve',
    '<%= config.bin %> resolve imagesets/4.13.1.yaml -o 4.13.1.lock --authfile pull-secret.json',
    '<%= config.bin %> resolve imagesets/4.13.1.yaml --dry-run | grep lvm',
  ];
  static override args = imageSetArgs;
  static override flags = {
    ...registryFlags,
    ...resolveFlags,
    factory: Flags.string({ description: 'the factory file', default: 'factory.yaml' }),
    output: Flags.string({
      char: 'o',
      description: 'the lock; default: where the factory keeps it, edgefab.lock with IMAGESET',
    }),
    arch: Flags.string({ description: 'architecture to lock, with IMAGESET', default: 'x86_64' }),
    'dry-run': Flags.boolean({
      description: 'name the images on stdout, write nothing',
      exclusive: ['update', 'output'],
    }),
  };

  async run(): Promise<unknown> {
    const { args, flags } = await this.parse(Resolve);
    this.begin(flags);
    const filter = requestOptions(flags);
    const { authfile, ...request } =
      args.imageset === undefined
        ? await factoryRequest(await loadFactory(flags.factory, realHost), filter)
        : {
            ...(await lockRequest(args.imageset, flags.output ?? 'edgefab.lock', flags.arch, filter)),
            authfile: undefined,
          };
    const lockPath = flags.output ?? request.lockPath;
    const client = await openRegistry(flags, authfile);
    const options = lockOptions(flags, this.signal, (message) => this.say('info', message));
    try {
      if (flags['dry-run']) return this.#named(await nameImages(request, client, options));
      const { lock, state, warnings } = await resolveLock(
        { ...request, lockPath },
        flags.update,
        client,
        options,
      );
      for (const warning of warnings) this.say('warn', warning);
      if (state !== 'kept') await writeLock(lockPath, lock);
      const id = lockId(lock);
      const { images, uniqueBlobs, uniqueBytes, duplicateBytes } = planPull(lock.images, new Set());
      const roles = Object.fromEntries(
        IMAGE_ROLES.map((role) => [role, lock.images.filter((image) => image.roles.includes(role)).length]),
      );
      const counted = Object.entries(roles).filter(([, count]) => count > 0);
      this.print(`lock              ${lockPath}, ${state}, ${id}`);
      if (lock.release !== undefined)
        this.print(`release           ${lock.release.version ?? ''} ${lock.release.image}`);
      this.print(
        `images            ${images} (${counted.map(([role, count]) => `${count} ${role}`).join(', ')})`,
      );
      this.print(`unique blobs      ${uniqueBlobs}, ${formatBytes(uniqueBytes)}`);
      this.print(`duplicates saved  ${formatBytes(duplicateBytes)}`);
      return {
        kind: 'Resolve',
        lockPath,
        lock: id,
        state,
        release: lock.release,
        images,
        roles,
        uniqueBlobs,
        uniqueBytes,
        duplicateBytes,
        warnings,
      };
    } finally {
      client.close();
    }
  }

  /** Prints what a dry run found, a line for each image as it is named: by tag where nobody wrote a digest. */
  #named({ wanted, ignored, releases, warnings }: ImageSetImages): object {
    for (const warning of warnings) this.say('warn', warning);
    const images = shareReferences(wanted)
      .map(({ reference, roles, requiredBy }) => ({
        reference,
        roles: IMAGE_ROLES.filter((role) => roles.has(role)),
        requiredBy: [...requiredBy],
      }))
      .sort((a, b) => (a.reference < b.reference ? -1 : 1));
    for (const { reference } of images) this.print(reference);
    this.say('info', `${images.length} images; nothing was written`);
    return { kind: 'NamedImages', releases, images, ignored, warnings };
  }
}
