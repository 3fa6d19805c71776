import { Args, Flags } from '@oclif/core';
import type { Inventory } from '../../boot/certs/inventory.ts';
import { daysAndHours } from '../../boot/certs/shelf-life.ts';
import { assertNoneExpires } from '../../factory/assert-none-expires.ts';
import {
  certificateSources,
  factoryCertificates,
  type SiteCertificates,
} from '../../factory/certificate-sources.ts';
import { realHost } from '../../host/real-host.ts';
import { parseDuration } from '../terminal/duration-flag.ts';
import { EdgefabCommand } from '../terminal/edgefab-command.ts';
import { formatTime } from '../terminal/format-time.ts';
import { tableLines } from '../terminal/table.ts';

const DAY_MS = 86_400_000;

export default class CertsShow extends EdgefabCommand {
  static override summary = 'List every certificate of a config, a stick or a factory, and which ends first';
  static override description =
    'Finds them in files, bundles and chains, in kubeconfigs, manifests and nested configs. Of a whole factory it shows ' +
    'until when each built stick installs. Keys are counted, never shown.';
  static override examples = [
    '<%= config.bin %> certs show bootstrap-in-place-for-live-iso.ign',
    '<%= config.bin %> certs show out/bip/bip.iso --expires-within 7d',
    '<%= config.bin %> certs show auth',
    '<%= config.bin %> certs show --factory factory.yaml --expires-within 7d',
  ];
  static override args = {
    file: Args.string({
      description: 'an Ignition config, a built ISO, a folder such as auth/, or one file with certificates',
    }),
  };
  static override flags = {
    factory: Flags.string({
      description: 'the factory whose built sticks to look at, when no FILE is given',
      default: 'factory.yaml',
    }),
    'expires-within': Flags.string({
      description: 'end with status 4 when a certificate ends within this time, for example 7d',
    }),
  };

  async run(): Promise<unknown> {
    const { args, flags } = await this.parse(CertsShow);
    this.begin(flags);
    const within = flags['expires-within'];
    const withinMs = within === undefined ? undefined : parseDuration('--expires-within', within);
    const now = realHost.now();
    const sources =
      args.file === undefined
        ? await factoryCertificates(flags.factory, [], realHost)
        : await certificateSources(args.file, realHost);
    if (sources.kind === 'factory') this.#printSites(sources.sites, now);
    else this.#printInventory(sources.inventory, now);
    if (withinMs !== undefined) assertNoneExpires(sources, withinMs, now);
    return sources.kind === 'factory'
      ? { kind: 'FactoryCertificates', sites: sources.sites.map((site) => siteDocument(site, now)) }
      : { kind: 'Certificates', source: sources.kind, ...inventoryDocument(sources.inventory, now) };
  }

  #printInventory({ certificates, keyPaths, horizon }: Inventory, now: Date): void {
    const rows = certificates.map((each) => [
      each.path,
      String(each.index),
      each.subject,
      each.issuer === each.subject ? 'itself' : each.issuer,
      each.outside ? `${each.kind}, trust only` : each.kind,
      each.keyType,
      formatTime(each.notBefore),
      formatTime(each.notAfter),
      daysAndHours(each.notAfter.getTime() - now.getTime()),
      each.trustedBy.join('; '),
    ]);
    const headings = ['path', '#', 'subject', 'issuer', 'kind', 'key', 'from', 'until', 'left', 'trusted by'];
    for (const line of tableLines(headings, rows)) this.print(line);
    this.print();
    this.print(
      `${certificates.length} certificates; private keys in ${keyPaths.length} places (never shown)`,
    );
    if (horizon === undefined) return;
    this.print(
      `the first ends ${formatTime(horizon.notAfter)}, ${daysAndHours(horizon.notAfter.getTime() - now.getTime())} from now: ${horizon.certificates[0]?.path}`,
    );
  }

  #printSites(sites: readonly SiteCertificates[], now: Date): void {
    const rows = sites.map(({ site, inventory }) => {
      if (inventory === undefined) return [site, 'not built', '', '', ''];
      const { certificates, horizon } = inventory;
      if (horizon === undefined) return [site, 'no certificates', '', '', ''];
      const left = daysAndHours(horizon.notAfter.getTime() - now.getTime());
      const first = horizon.certificates[0]?.path ?? '';
      return [site, formatTime(horizon.notAfter), left, first, String(certificates.length)];
    });
    for (const line of tableLines(['site', 'installs until', 'left', 'first to end', 'certificates'], rows))
      this.print(line);
  }
}

function daysLeft(end: Date, now: Date): number {
  return Math.floor((end.getTime() - now.getTime()) / DAY_MS);
}

function inventoryDocument({ where, certificates, keyPaths, horizon }: Inventory, now: Date): object {
  return {
    where,
    notAfter: horizon?.notAfter ?? null,
    certificates: certificates.map((each) => ({ ...each, daysLeft: daysLeft(each.notAfter, now) })),
    keyPaths,
  };
}

function siteDocument({ site, iso, inventory }: SiteCertificates, now: Date): object {
  const notAfter = inventory?.horizon?.notAfter;
  return {
    site,
    iso,
    built: inventory !== undefined,
    certificates: inventory?.certificates.length ?? null,
    notAfter: notAfter ?? null,
    daysLeft: notAfter === undefined ? null : daysLeft(notAfter, now),
    first: inventory?.horizon?.certificates[0]?.path ?? null,
  };
}
