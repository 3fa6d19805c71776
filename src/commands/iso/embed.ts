import { tmpdir } from 'node:os';
import { Args, Flags, type Interfaces } from '@oclif/core';
import { loadIgnition } from '../../boot/ignition/load-ignition.ts';
import { serializeIgnition } from '../../boot/ignition/parse-ignition.ts';
import type { IsoReceipt } from '../../boot/iso/build-site-iso.ts';
import { loadNetworkFiles } from '../../boot/iso/load-network-files.ts';
import type { SiteContent } from '../../boot/iso/plan-site-iso.ts';
import { EdgefabError } from '../../errors.ts';
import { embedIso, type IsoOutput } from '../../factory/embed-iso.ts';
import type { IsoOrigins } from '../../factory/fetch/iso-input.ts';
import type { WebClient } from '../../factory/fetch/web-client.ts';
import { realHost } from '../../host/real-host.ts';
import { EdgefabCommand } from '../terminal/edgefab-command.ts';

type EmbedFlags = Interfaces.InferredFlags<typeof IsoEmbed.flags>;

function kargFlag(description: string) {
  return Flags.string({ description, multiple: true, multipleNonGreedy: true, default: [] });
}

export default class IsoEmbed extends EdgefabCommand {
  static override summary =
    'Embed an Ignition config, NetworkManager keyfiles and kernel arguments into a CoreOS live ISO';
  static override description =
    'Into a copy, which costs next to nothing where the file system shares blocks (XFS, Btrfs): the input is only read, and what was ' +
    'written is read back before the output gets its name. With --in-place only the areas are written, and an interrupted run is ' +
    'taken back by the next. The same input gives the same bytes.';
  static override examples = [
    '<%= config.bin %> iso embed rhcos-live.iso --ignition patched.ign --append-karg rd.neednet=1 -o bip.iso',
    '<%= config.bin %> iso embed rhcos-live.iso --ignition patched.ign --network eno1.nmconnection -o bip.iso',
    '<%= config.bin %> iso embed bip.iso --append-karg console=ttyS0 --in-place',
    'curl -s https://mirror.example.com/live.iso | <%= config.bin %> iso embed - --ignition patched.ign -o - | ssh lab "cat > bip.iso"',
  ];
  static override args = {
    iso: Args.string({
      description: 'the live ISO: a file, - for stdin, or an http(s) address',
      required: true,
    }),
  };
  static override flags = {
    ignition: Flags.file({ description: 'the Ignition config to embed' }),
    network: Flags.file({
      description: 'NetworkManager keyfile for the live system, embedded under its own name',
      multiple: true,
      multipleNonGreedy: true,
      default: [],
    }),
    'append-karg': kargFlag('kernel argument to add'),
    'delete-karg': kargFlag('kernel argument to remove'),
    'replace-karg': kargFlag('kernel argument to change, as KEY=OLD=NEW'),
    output: Flags.string({ char: 'o', description: 'the ISO to write; - for stdout' }),
    'in-place': Flags.boolean({
      description: 'change the ISO itself; alone: only take back what an interrupted run changed',
    }),
    force: Flags.boolean({ description: 'replace what is embedded already, and OUTPUT when it exists' }),
    sha256: Flags.string({ description: 'the digest the ISO must have, before anything is embedded' }),
    authfile: Flags.file({
      description: 'names and passwords for the server of the ISO, by HOST:PORT (containers-auth.json)',
    }),
    'retry-times': Flags.integer({
      description: 'how often to try the server again',
      default: 3,
      min: 0,
      max: 100,
    }),
  };

  async run(): Promise<unknown> {
    const { args, flags } = await this.parse(IsoEmbed);
    this.begin(flags);
    const output = this.#output(flags);
    const progress = this.createProgress();
    const origins: IsoOrigins = {
      stdin: process.stdin,
      openWeb: () => this.#openWeb(flags),
      temporaryFolder: tmpdir(),
      signal: this.signal,
      onStart: (name, totalBytes) => progress.start(`fetching ${name}`, totalBytes),
      onBytes: (bytes) => progress.advance(bytes, 'network'),
    };
    const content = await this.#content(flags);
    const embedded = await embedIso(
      { iso: args.iso, sha256: flags.sha256, content, output },
      origins,
      realHost,
    ).finally(() => progress.end());
    const { receipt, restored, inputDigest } = embedded;
    // stdout is the ISO.
    const tell = (line: string): void =>
      output.kind === 'stream' ? this.say('info', line) : this.print(line);
    if (restored) tell(`${args.iso}: a change that was cut off has been taken back`);
    if (inputDigest !== undefined && flags.sha256 === undefined)
      this.say(
        'warn',
        `nothing vouches for the ISO, which has ${inputDigest}: name what you expect with --sha256`,
      );
    if (receipt === undefined) return { kind: 'IsoRestored', target: args.iso };
    for (const line of describe(receipt)) tell(line);
    return { kind: 'IsoReceipt', ...receipt, restored };
  }

  async #content(flags: EmbedFlags): Promise<SiteContent> {
    const { ignition, network, force } = flags;
    const kargs = {
      append: flags['append-karg'],
      delete: flags['delete-karg'],
      replace: flags['replace-karg'],
    };
    const editsKargs = Object.values(kargs).some((edits) => edits.length > 0);
    return {
      ...(ignition === undefined ? {} : { ignition: serializeIgnition(await loadIgnition(ignition)) }),
      ...(network.length === 0 ? {} : { networkFiles: await loadNetworkFiles(network) }),
      ...(editsKargs ? { kargs } : {}),
      force,
    };
  }

  #output(flags: EmbedFlags): IsoOutput {
    const { output, 'in-place': inPlace, force } = flags;
    const refuse = (message: string, suggestion: string): EdgefabError =>
      new EdgefabError(message, { code: 'USAGE_INVALID', suggestions: [suggestion] });
    if (inPlace && output !== undefined)
      throw refuse('--in-place and -o cannot both be meant', 'Leave one of them out');
    if (inPlace) return { kind: 'in-place' };
    if (output === undefined)
      throw refuse(
        'where does the finished ISO go?',
        'Name it with -o FILE, or change the ISO itself with --in-place',
      );
    if (output !== '-') return { kind: 'file', path: output, overwrite: force };
    if (process.stdout.isTTY) throw refuse('an ISO does not go on a terminal', 'Send it somewhere: > FILE');
    if (this.jsonEnabled())
      throw refuse('stdout cannot hold both the ISO and --json', 'Name a file with -o FILE');
    return { kind: 'stream', sink: process.stdout };
  }

  async #openWeb({ authfile, 'retry-times': retryTimes }: EmbedFlags): Promise<WebClient> {
    // Loaded on use: most ISOs are files, and it takes as long as embedding into one.
    const [{ openWebClient }, { loadCredentials }, { parseProxySettings }, { loadRegistryCertificates }] =
      await Promise.all([
        import('../../factory/fetch/web-client.ts'),
        import('../../oci/credentials.ts'),
        import('../../oci/proxy-settings.ts'),
        import('../../oci/registry-certificates.ts'),
      ]);
    return openWebClient(
      {
        ...(authfile === undefined ? {} : { credentials: await loadCredentials({ authfile }, realHost) }),
        proxies: parseProxySettings(realHost),
        certificatesFor: (domain) => loadRegistryCertificates(domain, realHost),
        retryTimes,
      },
      realHost,
    );
  }
}

function describe({ target, sizeBytes, volumeId, ignition, kargs }: IsoReceipt): string[] {
  const lines = [`${target}: ${sizeBytes} bytes, volume ${volumeId}`];
  if (ignition !== undefined) {
    const { compressedBytes, areaBytes, compression } = ignition;
    lines.push(`embed area    ${compressedBytes} of ${areaBytes} bytes (${compression})`);
  }
  if (kargs !== undefined) {
    lines.push(`kernel args   ${kargs.after}`);
    lines.push(`args area     ${kargs.usedBytes} of ${kargs.capacityBytes} bytes`);
  }
  return lines;
}
