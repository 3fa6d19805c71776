import { availableParallelism, tmpdir } from 'node:os';
import { Args, Flags } from '@oclif/core';
import { EdgefabError } from '../errors.ts';
import { loadFactory } from '../factory/load.ts';
import { describeLibvirt } from '../factory/rehearse/describe-libvirt.ts';
import type { LibvirtFiles } from '../factory/rehearse/libvirt-domain.ts';
import { NETWORK_KINDS, type Rehearsal } from '../factory/rehearse/rehearsal.ts';
import { rehearseSite } from '../factory/rehearse/rehearse-site.ts';
import { selectSites } from '../factory/select-sites.ts';
import { realHost } from '../host/real-host.ts';
import { parseClock } from './terminal/clock-flag.ts';
import { parseDuration } from './terminal/duration-flag.ts';
import { EdgefabCommand } from './terminal/edgefab-command.ts';

/** More do not make a start faster. */
const MAX_PROCESSORS = 4;
const PHASE = { live: 'live system:', installed: 'installed node:' } as const;
const MARK = { good: 'ok     ', failed: 'FAILED ', unknown: 'UNKNOWN' } as const;

export default class Rehearse extends EdgefabCommand {
  static override summary =
    "Start a site's boot stick and cache disk in a virtual machine that has no way out";
  static override description =
    'Needs qemu-system-x86_64. Starts the ISO of the site as it was built, with the cache disk, an empty disk to install to and ' +
    'network cards whose subnet is that of the site and leads nowhere. The ISO differs in kernel arguments only: console, shell and ' +
    'an end instead of a prompt. Nothing is written to the cache disk. Follows the machine until the units of edgefab are done, then looks: ' +
    'Ignition, units, host name, address, cache, registry, every byte of every image of the bootstrap, and what was asked of the ' +
    'network. With --install it goes on: the machine installs, restarts, is started from its disk, and the node is looked at in the ' +
    'same way. Ends with 10 when something is not good. Logs stay in out/SITE/rehearsal/, the result in the receipt.';
  static override examples = [
    '<%= config.bin %> rehearse bip --disk /dev/disk/by-id/usb-SanDisk_Extreme_55AE-0:0',
    '<%= config.bin %> rehearse bip --disk cache.img --memory 8192 --firmware uefi',
    '<%= config.bin %> rehearse bip --disk cache.img --install --timeout 3h',
    '<%= config.bin %> rehearse bip --disk cache.img --network answers --clock 2000-01-01',
    '<%= config.bin %> rehearse bip --disk cache.img --print libvirt',
  ];
  static override args = {
    site: Args.string({ description: 'name of the site', required: true }),
  };
  static override flags = {
    factory: Flags.string({ description: 'the factory file', default: 'factory.yaml' }),
    disk: Flags.string({
      description: 'the cache disk: a device, or an image of a whole disk',
      required: true,
    }),
    memory: Flags.integer({
      description: "memory of the machine in MiB; the site's machine.ramMiB unless given",
      min: 1024,
      max: 16_777_216,
    }),
    install: Flags.boolean({
      description:
        'let it install, and start what it installed: a real cluster needs KVM, the memory of the site, and some 60 GB in TMPDIR',
    }),
    stick: Flags.option({ options: ['leave', 'remove'] as const, dependsOn: ['install'] })({
      description: 'what becomes of the stick when the machine restarts (default: remove)',
    }),
    timeout: Flags.string({ description: 'when to give up (default: 30m, with --install 2h)' }),
    firmware: Flags.option({ options: ['bios', 'uefi'] as const })({
      description: 'how the machine starts',
      default: 'bios',
    }),
    network: Flags.option({ options: NETWORK_KINDS })({
      description:
        'what its cards lead to: nothing answers; a router that says that there is no way; name and time servers of a site',
      default: 'dropped',
    }),
    clock: Flags.string({
      description:
        'what its clock says whenever it is switched on, for example 2000-01-01 (UTC): a dead battery',
    }),
    print: Flags.option({ options: ['libvirt'] as const })({
      description:
        'start nothing: print the machine and its network for libvirt, and what the host must know',
    }),
  };

  async run(): Promise<unknown> {
    const { args, flags } = await this.parse(Rehearse);
    this.begin(flags);
    const timeoutMs = parseDuration('--timeout', flags.timeout ?? (flags.install ? '2h' : '30m'));
    const factory = await loadFactory(flags.factory, realHost);
    const [site] = selectSites(factory, [args.site]);
    if (site === undefined) throw new RangeError('a site was selected');
    const machine = {
      disk: flags.disk,
      memoryMiB: flags.memory,
      firmware: flags.firmware,
      clock: flags.clock === undefined ? undefined : parseClock(flags.clock),
      processors: Math.min(availableParallelism(), MAX_PROCESSORS),
    };
    if (flags.print !== undefined) {
      const files = await describeLibvirt(factory, site, machine);
      this.#printFiles(files);
      return { kind: 'LibvirtFiles', ...files };
    }
    const rehearsal = await rehearseSite(
      factory,
      site,
      {
        ...machine,
        network: flags.network,
        install: flags.install ? { stick: flags.stick ?? 'remove' } : undefined,
        timeoutMs,
        temporaryFolder: tmpdir(),
        signal: this.signal,
        onNews: (line) => this.say('info', line),
      },
      realHost,
    );
    this.#show(rehearsal);
    const wrong = rehearsal.checks.filter(({ state }) => state !== 'good');
    if (wrong.length > 0) {
      const lines = wrong.map(({ phase, name, detail }) => `  ${phase}: ${name}: ${detail}`);
      throw new EdgefabError(`the rehearsal of ${rehearsal.site} failed:\n${lines.join('\n')}`, {
        code: 'REHEARSAL_FAILED',
        suggestions: [`Read ${rehearsal.consoleLog}, then build the site again and rehearse once more`],
        place: { file: rehearsal.consoleLog },
        faults: wrong.map(({ name, detail }) => ({ place: { field: name }, message: detail })),
      });
    }
    return { kind: 'Rehearsal', ...rehearsal };
  }

  #printFiles({ domain, network, networkManager, dnsmasq }: LibvirtFiles): void {
    const part = (what: string, text: string | undefined): void => {
      if (text !== undefined) this.print(`<!-- ${what} -->\n${text}`);
    };
    part('virsh define FILE', domain);
    part('virsh net-define FILE', network);
    part('/etc/NetworkManager/conf.d/edgefab-lab.conf', networkManager);
    part('/etc/dnsmasq.d/edgefab-lab.conf', dnsmasq);
  }

  #show({ checks, timeline, attempts, notes, seconds, site, verdict }: Rehearsal): void {
    for (const phase of ['live', 'installed'] as const) {
      const of = <T extends { readonly phase: string }>(all: readonly T[]) =>
        all.filter((each) => each.phase === phase);
      if (of(checks).length > 0) this.print(PHASE[phase]);
      for (const { seconds: at, what } of of(timeline)) this.print(`${at.toFixed(0).padStart(5)} s  ${what}`);
      for (const { name, state, detail, seconds: at } of of(checks))
        this.print(`${at.toFixed(0).padStart(5)} s  ${MARK[state]}  ${name}: ${detail}`);
    }
    for (const { phase, kind, to, about, count } of attempts)
      this.print(
        `  asked (${phase}): ${kind} ${to}${about === undefined ? '' : ` (${about})`}, ${count} times`,
      );
    for (const note of notes) this.print(`  note: ${note}`);
    this.print(`${site}: rehearsal ${verdict} after ${seconds.toFixed(0)} s`);
  }
}
