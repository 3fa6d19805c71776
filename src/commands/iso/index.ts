import { join } from 'node:path';
import { Args, Flags } from '@oclif/core';
import { buildSite } from '../../factory/build-site.ts';
import { loadFactory } from '../../factory/load.ts';
import { openBuild } from '../../factory/open-build.ts';
import type { Receipt } from '../../factory/receipt/receipt.ts';
import { selectSites } from '../../factory/select-sites.ts';
import { realHost } from '../../host/real-host.ts';
import { buildFlags } from '../terminal/build-flags.ts';
import { EdgefabCommand } from '../terminal/edgefab-command.ts';
import { requestOptions } from '../terminal/resolve-flags.ts';

export default class Iso extends EdgefabCommand {
  static override summary = 'Build the boot stick image of each site';
  static override description =
    'Patches the bootstrap-in-place Ignition of each site and embeds it, with its network (NetworkManager keyfiles, or kernel ' +
    'arguments where the image reads no keyfiles), into a copy of the live ISO: out/SITE/SITE.iso with receipt.json beside it. Treat both as secrets: the ISO holds the ' +
    'keys of the cluster. Refuses a cache that is not complete.';
  static override examples = ['<%= config.bin %> iso', '<%= config.bin %> iso bip --factory factory.yaml'];
  static override strict = false;
  static override args = {
    site: Args.string({ description: 'names of sites; all when none is named', name: 'SITE...' }),
  };
  static override flags = {
    factory: Flags.string({ description: 'the factory file', default: 'factory.yaml' }),
    ...buildFlags,
  };

  async run(): Promise<unknown> {
    const { argv, flags } = await this.parse(Iso);
    this.begin(flags);
    const factory = await loadFactory(flags.factory, realHost);
    const sites = selectSites(factory, argv.map(String));
    await using build = await openBuild(
      factory,
      { ...requestOptions(flags), ...(flags.renew ? { renew: sites } : {}), signal: this.signal },
      realHost,
    );
    const receipts: Receipt[] = [];
    for (const site of sites) {
      this.signal.throwIfAborted();
      const { receipt } = await buildSite(
        build,
        site,
        {
          allowMissing: flags['allow-missing'],
          allowShortLife: flags['allow-short-life'],
          spill: flags.spill,
        },
        realHost,
      );
      const file = join(factory.paths.out, site.name, receipt.iso.file);
      this.print(`${site.name}: ${file}`);
      this.print(`  build id      ${receipt.buildId}`);
      this.print(`  network       ${[receipt.network.way, ...receipt.network.files].join(', ')}`);
      this.print(`  kernel args   ${receipt.iso.kargs}`);
      if (receipt.iso.kargsBudget !== null) {
        const { usedBytes, capacityBytes } = receipt.iso.kargsBudget;
        this.print(`  args area     ${usedBytes} of ${capacityBytes} bytes`);
      }
      if (receipt.iso.ignition !== undefined) {
        const { compressedBytes, areaBytes, compression } = receipt.iso.ignition;
        this.print(
          `  embed area    ${compressedBytes} of ${areaBytes} bytes (${Math.round((compressedBytes * 100) / areaBytes)}%, ${compression})`,
        );
      }
      for (const { path, sizeBytes, sha256 } of receipt.spilled ?? [])
        this.print(`  from cache    ${path}, ${sizeBytes} bytes, files/sha256/${sha256}`);
      for (const warning of receipt.warnings) this.say('warn', `${site.name}: ${warning}`);
      receipts.push(receipt);
    }
    return { kind: 'Receipts', receipts };
  }
}
