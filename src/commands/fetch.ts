import { Flags, type Interfaces } from '@oclif/core';
import { type FetchedMedia, fetchMedia, type MediaRequest } from '../factory/fetch/fetch-media.ts';
import { mediaRequest } from '../factory/fetch/media-request.ts';
import { openWebClient, type WebClient } from '../factory/fetch/web-client.ts';
import { loadFactory } from '../factory/load.ts';
import { loadLock } from '../factory/resolve-lock.ts';
import { machineArchitecture } from '../host/machine-architecture.ts';
import { realHost } from '../host/real-host.ts';
import { createRateLimit } from '../mirror/pull/rate-limit.ts';
import { rateAt } from '../mirror/pull/rate-windows.ts';
import { loadCredentials } from '../oci/credentials.ts';
import { parseProxySettings } from '../oci/proxy-settings.ts';
import { loadRegistryCertificates } from '../oci/registry-certificates.ts';
import { EdgefabCommand } from './terminal/edgefab-command.ts';
import { parseRateFlags, rateFlags } from './terminal/rate-flags.ts';
import { registryFlags } from './terminal/registry-flags.ts';

type FetchFlags = Interfaces.InferredFlags<typeof Fetch.flags>;

export default class Fetch extends EdgefabCommand {
  static override summary = 'Get openshift-install and the live ISO that fits it';
  static override description =
    'Without --release: what factory.yaml says. The installer is held against the checksums of its release, with ' +
    '--keyring also those against their signature, and says itself which live ISO is its own. Run it again after any ' +
    'interruption: it goes on where it stopped, and what is there and right is kept.';
  static override examples = [
    '<%= config.bin %> fetch',
    '<%= config.bin %> fetch --release 4.18.9 --folder media --keyring RPM-GPG-KEY-redhat-release',
    "<%= config.bin %> fetch --mirror 'https://mirror.example.com/clients/{version}/' --iso-mirror https://mirror.example.com/rhcos/",
  ];
  static override flags = {
    factory: Flags.string({ description: 'the factory file; default factory.yaml, none with --release' }),
    release: Flags.string({ description: 'the exact version, such as 4.18.9; default: the factory says' }),
    arch: Flags.string({
      description: 'architecture of the release; default: the factory says, else x86_64',
      options: ['x86_64', 'aarch64', 's390x', 'ppc64le'],
    }),
    folder: Flags.string({
      char: 'f',
      description: 'where what the factory gives no place goes; default media, beside the factory',
    }),
    'installer-only': Flags.boolean({ description: 'get no live ISO', exclusive: ['iso-only'] }),
    'iso-only': Flags.boolean({ description: 'use the installer that is there, and get its live ISO' }),
    overwrite: Flags.boolean({ description: 'replace other files of the same names' }),
    keyring: Flags.file({ description: 'public keys; one must have signed the checksums of the release' }),
    mirror: Flags.string({
      description:
        'the folder that holds sha256sum.txt and the installer; {version} and {arch} are filled in; default: the public one',
      helpGroup: 'MIRROR',
    }),
    'iso-mirror': Flags.string({
      description:
        'the folder that holds the live ISO; {file} and {path} of its public address are filled in; default: where the installer says',
      helpGroup: 'MIRROR',
    }),
    authfile: Flags.file({
      description: 'names and passwords for mirrors of your own, by HOST:PORT (containers-auth.json)',
      helpGroup: 'MIRROR',
    }),
    'retry-times': registryFlags['retry-times'],
    ...rateFlags,
  };

  async run(): Promise<unknown> {
    const { flags } = await this.parse(Fetch);
    this.begin(flags);
    const request = await this.#request(flags);
    const web = await this.#open(flags);
    try {
      const media = await fetchMedia(request, web, this.#options(flags), realHost);
      this.#show(request, media);
      const { version, arch } = request.release;
      return { kind: 'Fetch', release: { version: version.text, arch }, ...media };
    } finally {
      web.close();
    }
  }

  async #request(flags: FetchFlags): Promise<MediaRequest> {
    const file = flags.factory ?? (flags.release === undefined ? 'factory.yaml' : undefined);
    const factory = file === undefined ? undefined : await loadFactory(file, realHost);
    const lock = factory === undefined ? undefined : await loadLock(factory.paths.lock);
    return await mediaRequest(
      {
        ...flags,
        isoMirror: flags['iso-mirror'],
        parts: flags['iso-only'] ? 'iso' : flags['installer-only'] ? 'installer' : 'all',
        machine: machineArchitecture(process.arch),
      },
      factory === undefined ? undefined : { factory, lock },
    );
  }

  async #open(flags: FetchFlags): Promise<WebClient> {
    const { authfile } = flags;
    return openWebClient(
      {
        // Only what was named: the registries' own are none of a web server's business.
        ...(authfile === undefined ? {} : { credentials: await loadCredentials({ authfile }, realHost) }),
        proxies: parseProxySettings(realHost),
        certificatesFor: (domain) => loadRegistryCertificates(domain, realHost),
        retryTimes: flags['retry-times'],
      },
      realHost,
    );
  }

  #options(flags: FetchFlags): Parameters<typeof fetchMedia>[2] {
    const progress = this.createProgress();
    const windows = parseRateFlags(flags);
    const pause = (): void => progress.tell({ kind: 'pause' });
    return {
      retryTimes: flags['retry-times'],
      signal: this.signal,
      ...(windows === undefined
        ? {}
        : { rateLimit: createRateLimit((now) => rateAt(windows, now), realHost, pause) }),
      onStart: (name, totalBytes) => progress.start(`fetching ${name}`, totalBytes),
      onEnd: () => progress.end(),
      onBytes: (bytes, from) => progress.advance(bytes, from),
      onRetry: (what, { message }, waitMs) =>
        progress.tell({ kind: 'retry', what, image: '', reason: message, waitMs }),
    };
  }

  #show(
    { installer, liveIso: target }: MediaRequest,
    { installer: fetched, says, liveIso }: FetchedMedia,
  ): void {
    this.print(`installer         ${installer}, release ${says.version}, ${fetched?.state ?? 'as it was'}`);
    if (says.releaseImage !== undefined) this.print(`release image     ${says.releaseImage}`);
    if (fetched !== undefined) {
      this.print(
        `checksums         ${fetched.signedBy === null ? 'not signed for' : `signed by ${fetched.signedBy}`}`,
      );
      if (fetched.signedBy === null)
        this.say(
          'warn',
          'no signature was checked: the installer is what its mirror says it is. Name the publisher’s public key with --keyring FILE',
        );
    }
    if (liveIso === undefined) return;
    this.print(`live ISO          ${liveIso.file}, CoreOS ${liveIso.release}, ${liveIso.state}`);
    this.print(`                  ${liveIso.digest}`);
    if ('folder' in target)
      this.say(
        'info',
        `name them in the factory: media: { installer: ${installer}, liveIso: ${liveIso.file} }`,
      );
  }
}
