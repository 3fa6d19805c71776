import { Flags } from '@oclif/core';
import { EdgefabError } from '../errors.ts';
import { loadFactory } from '../factory/load.ts';
import { factoryRequest, imageSetRequest } from '../factory/mirror-request.ts';
import { type CachePlan, planCache } from '../factory/plan-cache.ts';
import { planFactory, type SitePlan } from '../factory/plan-factory.ts';
import { realHost } from '../host/real-host.ts';
import { EdgefabCommand } from './terminal/edgefab-command.ts';
import { formatBytes, parseRate } from './terminal/format-amount.ts';
import { openRegistry, registryFlags } from './terminal/registry-flags.ts';
import { renderCachePlan } from './terminal/render-plan.ts';
import { imageSetArgs, lockOptions, requestOptions, resolveFlags } from './terminal/resolve-flags.ts';

export default class Plan extends EdgefabCommand {
  static override summary =
    'Say what will be fetched, how long it takes and whether it fits, before anything is';
  static override description =
    'Resolves the image set against the registries (manifests only, a few kilobytes an image) or takes edgefab.lock, ' +
    'counts every byte once, and checks the budgets: space on the cache disk, RAM for the live phase (an estimate), ' +
    'the embed area of every site. Changes nothing. With an IMAGESET file it needs no factory.';
  static override examples = [
    '<%= config.bin %> plan --rate 20Mbit',
    '<%= config.bin %> plan --measure --json',
    '<%= config.bin %> plan imagesets/4.13.1.yaml --folder /run/media/edgefab',
  ];
  static override args = imageSetArgs;
  static override flags = {
    ...registryFlags,
    ...resolveFlags,
    factory: Flags.string({ description: 'the factory file', default: 'factory.yaml' }),
    folder: Flags.string({
      char: 'f',
      description: 'the cache to be filled; with IMAGESET its lock is looked for there, default: this folder',
    }),
    arch: Flags.string({ description: 'architecture to fetch, with IMAGESET', default: 'x86_64' }),
    rate: Flags.string({ description: 'speed of the line: 20Mbit, 2.5MB/s, …', exclusive: ['measure'] }),
    measure: Flags.boolean({ description: 'try the line for some seconds; the bytes are thrown away' }),
  };

  async run(): Promise<unknown> {
    const { args, flags } = await this.parse(Plan);
    this.begin(flags);
    const rate = flags.rate === undefined ? undefined : parseRate(flags.rate);
    if (flags.rate !== undefined && rate === undefined) {
      throw new EdgefabError(`--rate "${flags.rate}" is no speed: want for example 20Mbit or 2.5MB/s`, {
        code: 'USAGE_INVALID',
      });
    }
    const { imageset, folder = '.' } = { imageset: args.imageset, ...flags };
    const filter = requestOptions(flags);
    const factory = imageset === undefined ? await loadFactory(flags.factory, realHost) : undefined;
    const request =
      factory === undefined
        ? await imageSetRequest(imageset ?? '', folder, flags.arch, filter)
        : await factoryRequest(factory, filter);
    const client = await openRegistry(flags, request.authfile);
    const options = {
      ...lockOptions(flags, this.signal, (message) => this.say('info', message)),
      update: flags.update,
      now: () => Date.now(),
      ...(flags.measure ? { rate: 'measure' as const } : rate === undefined ? {} : { rate }),
    };
    const where = flags.folder === undefined ? request : { ...request, folder: flags.folder };
    try {
      const outcome: CachePlan & { readonly sites?: readonly SitePlan[] } =
        factory === undefined
          ? (await planCache(where, client, options)).cachePlan
          : await planFactory(factory, where, client, options, realHost);
      this.#show(outcome);
      return { kind: 'Plan', ...outcome };
    } finally {
      client.close();
    }
  }

  #show(outcome: CachePlan & { readonly sites?: readonly SitePlan[] }): void {
    for (const warning of outcome.warnings) this.say('warn', warning);
    for (const line of renderCachePlan(outcome)) this.print(line);
    for (const { site, ignition, network, kargsBudget, problems } of outcome.sites ?? []) {
      const share =
        ignition === undefined
          ? 'its Ignition is made at build time'
          : `Ignition takes ${ignition.compressedBytes} of ${ignition.areaBytes} bytes (${Math.round((ignition.compressedBytes * 100) / ignition.areaBytes)}%, ${ignition.compression})`;
      this.print(`site ${site}: ${share}`);
      if (network !== undefined)
        this.print(`site ${site}: network by ${[network.way, ...network.files].join(', ')}`);
      if (kargsBudget !== undefined)
        this.print(
          `site ${site}: kernel arguments take ${kargsBudget.usedBytes} of ${kargsBudget.capacityBytes} bytes`,
        );
      for (const problem of problems) this.say('warn', `site ${site}: ${problem}`);
    }
    if (!outcome.fits) {
      const { existing, freeBytes } = outcome.space;
      throw new EdgefabError(
        `the cache does not fit at ${existing}: ${formatBytes(outcome.plan.spaceBytes)} are needed, ${formatBytes(freeBytes)} are free`,
        { code: 'SPACE_SHORT', suggestions: ['Name a larger disk: paths.cache of the factory, or --folder'] },
      );
    }
  }
}
