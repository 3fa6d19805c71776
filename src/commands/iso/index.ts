import { join } from 'node:path';
import { Args, Flags } from '@oclif/core';
import { EdgefabError } from '../../errors.ts';
import { buildSite, type SiteReceipt } from '../../factory/build-site.ts';
import { loadFactory } from '../../factory/load.ts';
import { factoryRequest } from '../../factory/mirror-request.ts';
import { missingFiles } from '../../factory/missing-files.ts';
import { isFresh, loadLock } from '../../factory/resolve-lock.ts';
import { selectSites } from '../../factory/select-sites.ts';
import { realHost } from '../../host/real-host.ts';
import { allowMissingFlag } from '../terminal/allow-missing-flag.ts';
import { EdgefabCommand } from '../terminal/edgefab-command.ts';
import { requestOptions, resolveFlags } from '../terminal/resolve-flags.ts';

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
    filter: resolveFlags.filter,
    'force-filter': resolveFlags['force-filter'],
    'allow-missing': allowMissingFlag,
    renew: Flags.boolean({
      description: 'have openshift-install make new Ignitions, with new keys, in place of those kept in out/',
    }),
  };

  async run(): Promise<unknown> {
    const { argv, flags } = await this.parse(Iso);
    this.begin(flags);
    const factory = await loadFactory(flags.factory, realHost);
    const sites = selectSites(factory, argv.map(String));
    const absent = await missingFiles(factory);
    if (absent.length > 0) {
      const lines = absent.map(
        ({ path, place }) => `  ${place.file}:${place.line}:${place.col} ${place.field}: ${path}`,
      );
      throw new EdgefabError(
        `${absent.length} files the factory names cannot be read:\n${lines.join('\n')}`,
        {
          code: 'FILE_UNREADABLE',
          place: { file: flags.factory },
          faults: absent.map(({ path, place }) => ({ place, message: `cannot read ${path}` })),
        },
      );
    }
    const request = await factoryRequest(factory, requestOptions(flags));
    const lock = await loadLock(factory.paths.lock);
    if (lock === undefined || !isFresh(lock, request)) {
      throw new EdgefabError(
        lock === undefined
          ? `there is no ${factory.paths.lock}: nothing is precached yet`
          : `${factory.paths.lock} is stale: the factory or its image set has changed since`,
        {
          code: 'LOCK_STALE',
          suggestions: [
            lock === undefined
              ? 'Run edgefab precache, then this command again'
              : 'Run edgefab precache --update, then this command again',
          ],
          place: { file: factory.paths.lock },
        },
      );
    }
    const receipts: SiteReceipt[] = [];
    for (const site of sites) {
      this.signal.throwIfAborted();
      const receipt = await buildSite(
        factory,
        site,
        { lock, allowMissing: flags['allow-missing'], renew: flags.renew },
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
      for (const warning of receipt.warnings) this.say('warn', `${site.name}: ${warning}`);
      receipts.push(receipt);
    }
    return { kind: 'Receipts', receipts };
  }
}
