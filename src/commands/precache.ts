import { Flags, type Interfaces } from '@oclif/core';
import { withCacheDevice } from '../disk/cache/cache-device.ts';
import { EdgefabError } from '../errors.ts';
import { loadFactory } from '../factory/load.ts';
import { factoryRequest, imageSetRequest, type MirrorRequest } from '../factory/mirror-request.ts';
import { precache } from '../factory/precache.ts';
import { resolveLock } from '../factory/resolve-lock.ts';
import { realHost } from '../host/real-host.ts';
import { createRateLimit } from '../mirror/pull/rate-limit.ts';
import { rateAt } from '../mirror/pull/rate-windows.ts';
import { rememberManifests } from '../mirror/resolve/remember-manifests.ts';
import type { CarriedExecutable } from '../mirror/store/carry-executable.ts';
import { EdgefabCommand } from './terminal/edgefab-command.ts';
import { formatBytes } from './terminal/format-amount.ts';
import { parseRateFlags, rateFlags } from './terminal/rate-flags.ts';
import { openRegistry, registryFlags } from './terminal/registry-flags.ts';
import { renderPlan } from './terminal/render-plan.ts';
import { renderResult } from './terminal/render-result.ts';
import { imageSetArgs, lockOptions, requestOptions, resolveFlags } from './terminal/resolve-flags.ts';

type PrecacheFlags = Interfaces.InferredFlags<typeof Precache.flags>;

export default class Precache extends EdgefabCommand {
  static override summary = 'Fill a cache disk with every image, each byte once';
  static override description =
    'With an IMAGESET file: resolve it and fill --folder. Without: do what factory.yaml says. Run it again after any ' +
    'interruption: it goes on where it stopped.';
  static override examples = [
    '<%= config.bin %> precache',
    '<%= config.bin %> precache imagesets/4.13.1.yaml --folder /run/media/edgefab --authfile pull-secret.json',
    '<%= config.bin %> precache imagesets/4.13.1.yaml --device edgefab',
  ];
  static override args = imageSetArgs;
  static override flags = {
    ...registryFlags,
    ...resolveFlags,
    ...rateFlags,
    parallel: Flags.integer({
      description: 'the most transfers at once; fewer where a registry pushes back or more bring no more',
      default: 16,
      min: 1,
      max: 32,
      helpGroup: 'REGISTRY',
    }),
    'retry-times': Flags.integer({
      description: 'how often to try again what may pass and brought nothing',
      default: 10,
      min: 0,
      max: 100,
      helpGroup: 'REGISTRY',
    }),
    factory: Flags.string({ description: 'the factory file', default: 'factory.yaml' }),
    folder: Flags.string({ char: 'f', description: 'the cache to fill (where its disk is mounted)' }),
    device: Flags.string({
      description: 'the cache partition to fill, by path or label (edgefab); mounted for the run, needs root',
      exclusive: ['folder'],
    }),
    arch: Flags.string({ description: 'architecture to fetch, with IMAGESET', default: 'x86_64' }),
    executable: Flags.string({
      description:
        'the one-file edgefab to put on the disk as well, for machines without Node; left out, the one that runs, or ' +
        'that npm run build:exe made',
      helpValue: 'FILE',
    }),
  };

  async run(): Promise<unknown> {
    const { args, flags } = await this.parse(Precache);
    this.begin(flags);
    if (flags.device === undefined) return await this.#fill(args.imageset, flags);
    return await withCacheDevice(flags.device, { uid: process.getuid?.() }, realHost, async (folder) => {
      this.signal.throwIfAborted();
      return await this.#fill(args.imageset, { ...flags, folder });
    });
  }

  async #fill(imageset: string | undefined, flags: PrecacheFlags): Promise<unknown> {
    const request = await this.#request(imageset, flags);
    const progress = this.createProgress();
    const windows = parseRateFlags(flags);
    const rateLimit =
      windows === undefined
        ? undefined
        : createRateLimit(
            (now) => rateAt(windows, now),
            realHost,
            () => progress.tell({ kind: 'pause' }),
          );
    const client = rememberManifests(await openRegistry(flags, request.authfile));
    const startedMs = Date.now();
    const seconds = (): number => (Date.now() - startedMs) / 1000;
    try {
      const { lock, state, warnings } = await resolveLock(
        request,
        flags.update,
        client,
        lockOptions(flags, this.signal, (message) => this.say('info', message)),
      );
      for (const warning of warnings) this.say('warn', warning);
      const outcome = await precache(
        lock,
        request.folder,
        client,
        {
          ...(state === 'kept' ? {} : { keepLockAt: request.lockPath }),
          parallel: flags.parallel,
          executable: flags.executable === undefined ? {} : { named: flags.executable },
          retryTimes: flags['retry-times'],
          signal: this.signal,
          ...(rateLimit === undefined ? {} : { rateLimit }),
          onPlan: (plan) => {
            for (const line of renderPlan(plan)) this.say('info', line);
            progress.start('fetching', plan.uniqueBytes);
          },
          onBytes: (bytes, from) => progress.advance(bytes, from),
          onEvent: (event) => progress.tell(event),
          onResult: (result, plan) => {
            progress.end();
            // What is missing is an error, and stdout is for what is whole.
            const say = (line: string): void =>
              result.failures.length === 0 ? this.print(line) : this.say('info', line);
            for (const line of renderResult(result, plan, seconds())) say(line);
          },
        },
        realHost,
      ).finally(() => progress.end());
      const { plan, result, cache } = outcome;
      this.print(`cache             ${request.folder}, complete, id ${cache.cacheId}`);
      this.print(`lock              ${cache.lock}`);
      this.#tellProgram(outcome.executable, lock.arch);
      const { fetchedBytes, heldBytes, retries } = result;
      return {
        kind: 'Precache',
        folder: request.folder,
        cache,
        executable: outcome.executable,
        plan,
        fetchedBytes,
        heldBytes,
        retries,
        seconds: seconds(),
      };
    } finally {
      client.close();
    }
  }

  /** Says what became of the program on the disk. */
  #tellProgram(program: CarriedExecutable | undefined, arch: string): void {
    switch (program?.state) {
      case 'copied':
      case 'kept':
        this.print(`program           ${program.path}, ${formatBytes(program.sizeBytes)}, runs without Node`);
        return;
      case 'no room':
        this.say(
          'warn',
          `no room for the program itself: ${program.neededBytes} bytes are needed, ${program.freeBytes} are free`,
        );
        return;
      case 'none':
        this.say(
          'info',
          `no program for ${arch} at hand to put on the disk: npm run build:exe makes one, --executable names one`,
        );
        return;
      case undefined:
        return;
      default:
        program satisfies never;
    }
  }

  async #request(imageset: string | undefined, flags: PrecacheFlags): Promise<MirrorRequest> {
    const filter = requestOptions(flags);
    if (imageset === undefined) {
      const request = await factoryRequest(await loadFactory(flags.factory, realHost), filter);
      return flags.folder === undefined ? request : { ...request, folder: flags.folder };
    }
    if (flags.folder === undefined) {
      throw new EdgefabError(
        'precache IMAGESET needs --folder or --device: where is the cache disk mounted?',
        {
          code: 'USAGE_INVALID',
        },
      );
    }
    return await imageSetRequest(imageset, flags.folder, flags.arch, filter);
  }
}
