import { availableParallelism } from 'node:os';
import { join } from 'node:path';
import { Args, Flags } from '@oclif/core';
import { EdgefabError } from '../../errors.ts';
import type { SiteReport } from '../../factory/batch/batch-report.ts';
import { buildBatch, reportFile } from '../../factory/batch/build-batch.ts';
import { itemsOfShard, parseShard } from '../../factory/batch/shard.ts';
import { loadFactory } from '../../factory/load.ts';
import { openBuild } from '../../factory/open-build.ts';
import { selectSites } from '../../factory/select-sites.ts';
import { realHost } from '../../host/real-host.ts';
import { buildFlags } from '../terminal/build-flags.ts';
import { EdgefabCommand } from '../terminal/edgefab-command.ts';
import { requestOptions } from '../terminal/resolve-flags.ts';
import { tableLines } from '../terminal/table.ts';

export default class Batch extends EdgefabCommand {
  static override summary = 'Build the boot stick images of many sites, several at once';
  static override description =
    'Does for every site what edgefab iso does. The fault of one site stops no other: the run ends with a table, ' +
    'out/report.json and status 9. Killed or interrupted, run it again: finished sites are recognised by their build ' +
    "id, inputs and the sha256 of their ISO, and left as they are. Shards of one batch may share the factory's folder.";
  static override examples = [
    '<%= config.bin %> batch',
    '<%= config.bin %> batch store-001 store-002 --parallel 4',
    '<%= config.bin %> batch --shard 0/4',
  ];
  static override strict = false;
  static override args = {
    site: Args.string({ description: 'names of sites; all when none is named', name: 'SITE...' }),
  };
  static override flags = {
    factory: Flags.string({ description: 'the factory file', default: 'factory.yaml' }),
    parallel: Flags.integer({
      description: 'sites at work at once; as many as there are processors unless given',
      min: 1,
      max: 256,
    }),
    shard: Flags.string({
      description: 'build only this part of the sites: INDEX/COUNT, from 0/COUNT on',
      exclusive: ['renew'],
    }),
    rebuild: Flags.boolean({ description: 'build finished sites again too' }),
    ...buildFlags,
  };

  async run(): Promise<unknown> {
    const { argv, flags } = await this.parse(Batch);
    this.begin(flags);
    const shard = flags.shard === undefined ? undefined : parseShard(flags.shard);
    const factory = await loadFactory(flags.factory, realHost);
    const named = selectSites(factory, argv.map(String));
    const sites = shard === undefined ? named : itemsOfShard(named, shard);
    await using build = await openBuild(
      factory,
      { ...requestOptions(flags), ...(flags.renew ? { renew: sites } : {}), signal: this.signal },
      realHost,
    );
    const startedMs = Date.now();
    let done = 0;
    const report = await buildBatch(
      build,
      sites,
      {
        allowMissing: flags['allow-missing'],
        allowShortLife: flags['allow-short-life'],
        spill: flags.spill,
        rebuild: flags.rebuild,
        parallel: flags.parallel ?? availableParallelism(),
        ...(shard === undefined ? {} : { shard }),
        signal: this.signal,
        onSite: (site) => {
          done += 1;
          this.say(site.state === 'failed' ? 'error' : 'info', progressLine(site, done, sites.length));
        },
      },
      realHost,
    );
    this.signal.throwIfAborted();
    const seconds = (Date.now() - startedMs) / 1000;
    const file = join(factory.paths.out, reportFile(shard));
    for (const line of tableLines(HEADINGS, report.sites.map(row))) this.print(line);
    const failed = report.sites.filter(({ state }) => state === 'failed');
    const kept = report.sites.filter(({ state }) => state === 'kept').length;
    const built = report.sites.length - kept - failed.length;
    this.print(
      `${built} built, ${kept} kept, ${failed.length} failed in ${seconds.toFixed(1)} s; report: ${file}`,
    );
    if (failed.length === 0) return { ...report, seconds };
    throw new EdgefabError(
      `${failed.length} of ${report.sites.length} sites failed; the others are built\n${failed.map((site) => `  ${explain(site)}`).join('\n')}`,
      {
        code: 'SITES_FAILED',
        suggestions: ['Mend what each names and run the same command again: finished sites are kept'],
        place: { file },
        faults: failed.map((site) => ({ place: { field: site.site }, message: explain(site) })),
      },
    );
  }
}

const HEADINGS = ['SITE', 'STATE', 'BUILD ID', 'ISO', 'CERTIFICATES END'];

function row(site: SiteReport): string[] {
  switch (site.state) {
    case 'built':
    case 'kept':
      return [site.site, site.state, site.buildId.slice(0, 12), site.iso, site.certificatesEnd ?? '-'];
    case 'failed':
      return [site.site, site.state, '-', site.error.code, '-'];
    case 'not-begun':
      return [site.site, 'not begun', '-', '-', '-'];
    default:
      return site satisfies never;
  }
}

function explain(site: SiteReport): string {
  return site.state === 'failed' ? `${site.site}: ${site.error.message} (${site.error.code})` : site.site;
}

function progressLine(site: SiteReport, done: number, all: number): string {
  const warnings = 'warnings' in site ? site.warnings.map((warning) => `; ${warning}`).join('') : '';
  return `${done}/${all} ${site.state === 'failed' ? explain(site) : `${site.site}: ${site.state.replace('-', ' ')}`}${warnings}`;
}
