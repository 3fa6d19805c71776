import { availableParallelism } from 'node:os';
import { Flags, type Interfaces } from '@oclif/core';
import { EdgefabError } from '../errors.ts';
import { examineTarget, type Target } from '../factory/doctor/examine-target.ts';
import { examineWorkstation } from '../factory/doctor/examine-workstation.ts';
import type { Finding } from '../factory/doctor/finding.ts';
import { targetOf } from '../factory/doctor/target-of.ts';
import { loadFactory } from '../factory/load.ts';
import { selectSites } from '../factory/select-sites.ts';
import { realHost } from '../host/real-host.ts';
import { EdgefabCommand } from './terminal/edgefab-command.ts';

const MARK = { ok: 'ok     ', note: 'note   ', missing: 'MISSING' } as const;
const TARGET = 'TARGET';

export default class Doctor extends EdgefabCommand {
  static override summary =
    'Look over a machine for what edgefab will need there, and say what to do about it';
  static override description =
    'On the workstation: tools, credentials, clock, space, the factory and the files it names; no registry is asked. ' +
    'With --target, on the machine that is to be installed, from its live system: tools, rights, disks, memory against the ' +
    'budget, clock, network link, the names of the cluster, time servers, the cache. Changes nothing. Ends with 4 when something ' +
    'needed is missing.';
  static override examples = [
    '<%= config.bin %> doctor',
    '<%= config.bin %> doctor --target --cache /run/media/edgefab --verify',
    '<%= config.bin %> doctor --target --site bip --factory factory.yaml',
  ];
  static override flags = {
    factory: Flags.string({ description: 'the factory file', default: 'factory.yaml' }),
    target: Flags.boolean({ description: 'look over the machine that is to be installed' }),
    site: Flags.string({
      description: 'the site whose machine it is, where the factory is at hand',
      dependsOn: ['target'],
      helpGroup: TARGET,
    }),
    cache: Flags.string({
      description: 'the cache (where its disk is mounted)',
      dependsOn: ['target'],
      helpGroup: TARGET,
    }),
    disk: Flags.string({
      description: 'the disk that is to be installed on',
      dependsOn: ['target'],
      helpGroup: TARGET,
    }),
    verify: Flags.boolean({
      description: 'read every byte of the cache',
      dependsOn: ['cache'],
      helpGroup: TARGET,
    }),
    cluster: Flags.string({
      description: 'NAME.DOMAIN that the DNS server of the site is to know: api, api-int, *.apps',
      dependsOn: ['target'],
      helpGroup: TARGET,
    }),
    dns: Flags.string({
      description: "ask this name server instead of the machine's own",
      multiple: true,
      multipleNonGreedy: true,
      dependsOn: ['target'],
      helpGroup: TARGET,
    }),
    ntp: Flags.string({
      description: 'a time server that is to answer',
      multiple: true,
      multipleNonGreedy: true,
      dependsOn: ['target'],
      helpGroup: TARGET,
    }),
  };

  async run(): Promise<unknown> {
    const { flags } = await this.parse(Doctor);
    this.begin(flags);
    const findings = flags.target
      ? await this.#examineTarget(flags)
      : await examineWorkstation(flags.factory, realHost);
    for (const { what, state, detail, remedy } of findings) {
      this.print(`${MARK[state]}  ${what}: ${detail}`);
      if (state !== 'ok' && remedy !== undefined) this.print(`         try: ${remedy}`);
    }
    const missing = findings.filter(({ state }) => state === 'missing');
    if (missing.length > 0) {
      const lines = missing.map(({ what, detail }) => `  ${what}: ${detail}`);
      throw new EdgefabError(`${missing.length} things are missing:\n${lines.join('\n')}`, {
        code: 'TOOL_MISSING',
        suggestions: missing.flatMap(({ remedy }) => remedy ?? []),
        faults: missing.map(({ what, detail }) => ({ place: { field: what }, message: detail })),
      });
    }
    return { kind: 'Doctor', findings };
  }

  async #examineTarget(flags: Interfaces.InferredFlags<typeof Doctor.flags>): Promise<Finding[]> {
    const named = flags.site === undefined ? undefined : await this.#site(flags.factory, flags.site);
    const target: Target = {
      addresses: named?.addresses ?? [],
      macs: named?.macs ?? [],
      dnsServers: flags.dns ?? named?.dnsServers ?? [],
      timeServers: flags.ntp ?? named?.timeServers ?? [],
      ...(named?.cluster === undefined ? {} : { cluster: named.cluster }),
      ...(flags.cluster === undefined ? {} : { cluster: flags.cluster }),
      ...(flags.cache === undefined ? {} : { cache: flags.cache }),
      ...(named?.installDisk === undefined ? {} : { installDisk: named.installDisk }),
      ...(flags.disk === undefined ? {} : { installDisk: flags.disk }),
    };
    const progress = this.createProgress();
    const verify = {
      parallel: Math.min(availableParallelism(), 8),
      signal: this.signal,
      onStart: (bytes: number) => progress.start('reading', bytes),
      onBytes: (bytes: number) => progress.advance(bytes),
    };
    return await examineTarget(
      target,
      { uid: process.getuid?.(), ...(flags.verify ? { verify } : {}) },
      realHost,
    ).finally(() => progress.end());
  }

  async #site(factoryFile: string, name: string): Promise<Target | undefined> {
    const [site] = selectSites(await loadFactory(factoryFile, realHost), [name]);
    return site === undefined ? undefined : targetOf(site);
  }
}
