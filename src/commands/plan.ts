import { Flags } from '@oclif/core';
import { EdgefabError } from '../errors.ts';
import { loadFactory } from '../factory/load.ts';
import { factoryRequest } from '../factory/mirror-request.ts';
import { planFactory } from '../factory/plan-factory.ts';
import { realHost } from '../host/real-host.ts';
import { EdgefabCommand } from './terminal/edgefab-command.ts';
import { formatBytes, parseRate } from './terminal/format-amount.ts';
import { openRegistry, registryFlags } from './terminal/registry-flags.ts';
import { renderPlan } from './terminal/render-plan.ts';
import { lockOptions, resolveFlags } from './terminal/resolve-flags.ts';

export default class Plan extends EdgefabCommand {
  static override summary =
    'Say what will be fetched, how long it takes and whether it fits, before anything is';
  static override description =
    'Resolves the image set against the registries (manifests only, a few kilobytes an image) or takes edgefab.lock, ' +
    'counts every byte once, and checks the budgets: space on the cache disk, the embed area of every site.';
  static override examples = ['<%= config.bin %> plan --rate 20Mbit', '<%= config.bin %> plan --json'];
  static override flags = {
    ...registryFlags,
    ...resolveFlags,
    factory: Flags.string({ description: 'the factory file', default: 'factory.yaml' }),
    rate: Flags.string({ description: 'speed of the line: 20Mbit, 2.5MB/s, …' }),
  };

  async run(): Promise<unknown> {
    const { flags } = await this.parse(Plan);
    this.begin(flags);
    const rate = flags.rate === undefined ? undefined : parseRate(flags.rate);
    if (flags.rate !== undefined && rate === undefined) {
      throw new EdgefabError(`--rate "${flags.rate}" is no speed: want for example 20Mbit or 2.5MB/s`, {
        code: 'USAGE_INVALID',
      });
    }
    const factory = await loadFactory(flags.factory, realHost);
    const request = await factoryRequest(factory, {
      ...(flags.filter === undefined ? {} : { filter: flags.filter }),
      forceFilter: flags['force-filter'],
    });
    const client = await openRegistry(flags, request.authfile);
    try {
      const outcome = await planFactory(factory, request, client, {
        ...lockOptions(flags, this.signal, (message) => this.say('info', message)),
        update: flags.update,
        ...(rate === undefined ? {} : { rate }),
      });
      for (const warning of outcome.warnings) this.say('warn', warning);
      for (const line of renderPlan(outcome.plan)) this.print(line);
      this.print(`space free        ${formatBytes(outcome.space.freeBytes)} at ${outcome.space.existing}`);
      this.print(`lock              ${outcome.lockState}`);
      for (const { site, ignition, problems } of outcome.sites) {
        const share =
          ignition === undefined
            ? 'its Ignition is made at build time'
            : `Ignition takes ${ignition.compressedBytes} of ${ignition.areaBytes} bytes (${Math.round((ignition.compressedBytes * 100) / ignition.areaBytes)}%, ${ignition.compression})`;
        this.print(`site ${site}: ${share}`);
        for (const problem of problems) this.say('warn', `site ${site}: ${problem}`);
      }
      if (!outcome.fits) {
        throw new EdgefabError(
          `the cache does not fit at ${outcome.space.existing}: ${formatBytes(outcome.plan.spaceBytes)} are needed, ${formatBytes(outcome.space.freeBytes)} are free`,
          { code: 'SPACE_SHORT', suggestions: ['Name a larger disk in paths.cache'] },
        );
      }
      return { kind: 'Plan', ...outcome };
    } finally {
      client.close();
    }
  }
}
