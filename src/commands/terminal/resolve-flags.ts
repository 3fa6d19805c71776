import { Args, Flags } from '@oclif/core';
import { graphSource } from '../../factory/graph-source.ts';
import type { RequestOptions } from '../../factory/mirror-request.ts';
import { REGISTRY_IMAGE } from '../../factory/registry-image.ts';
import { releaseTrust } from '../../factory/release-trust.ts';
import type { LockOptions } from '../../factory/resolve-lock.ts';
import { realHost } from '../../host/real-host.ts';

/** The argument of every command that takes an image set in place of a factory's. */
export const imageSetArgs = {
  imageset: Args.file({
    description: 'an ImageSetConfiguration; default: the factory says',
    name: 'IMAGESET',
  }),
};

/** Flags of every command that may resolve an image set. */
export const resolveFlags = {
  update: Flags.boolean({
    description: 'resolve anew instead of keeping edgefab.lock',
    helpGroup: 'RESOLVE',
  }),
  graph: Flags.string({
    description: 'update graph: a saved answer or the URL of a service',
    env: 'UPDATE_URL_OVERRIDE',
    helpGroup: 'RESOLVE',
  }),
  filter: Flags.string({ description: 'file of patterns of images to leave out', helpGroup: 'RESOLVE' }),
  'force-filter': Flags.boolean({
    description: 'leave them out even when the install needs them',
    helpGroup: 'RESOLVE',
  }),
  'registry-image': Flags.string({
    description: `with IMAGESET: the registry that is to serve the cache on the machine, for example ${REGISTRY_IMAGE}`,
    helpGroup: 'RESOLVE',
  }),
  'release-keyring': Flags.string({
    description: 'public keys that vouch for release images',
    helpGroup: 'RESOLVE',
  }),
  'signature-store': Flags.string({
    description: 'where release signatures lie, a URL or a folder',
    multiple: true,
    multipleNonGreedy: true,
    default: [],
    helpGroup: 'RESOLVE',
  }),
  'insecure-skip-signatures': Flags.boolean({
    description: 'take release images that a channel or a tag leads to without a signature',
    helpGroup: 'RESOLVE',
  }),
};

/** What to leave out, as the flags say. */
export function requestOptions(flags: {
  readonly filter: string | undefined;
  readonly 'force-filter': boolean | undefined;
  readonly 'registry-image'?: string | undefined;
}): RequestOptions {
  return {
    ...(flags.filter === undefined ? {} : { filter: flags.filter }),
    forceFilter: flags['force-filter'] ?? false,
    ...(flags['registry-image'] === undefined ? {} : { registryImage: flags['registry-image'] }),
  };
}

interface ResolveFlagValues {
  readonly parallel: number;
  readonly graph: string | undefined;
  readonly 'release-keyring': string | undefined;
  readonly 'signature-store': readonly string[];
  readonly 'insecure-skip-signatures': boolean;
}

/** What resolving needs, as the flags say. */
export function lockOptions(
  flags: ResolveFlagValues,
  signal: AbortSignal,
  onTrust: (message: string) => void,
): LockOptions {
  const keyring = flags['release-keyring'];
  return {
    parallel: flags.parallel,
    signal,
    graph: graphSource(flags.graph, signal, realHost),
    trustRelease: releaseTrust(
      {
        ...(keyring === undefined ? {} : { keyring }),
        stores: flags['signature-store'],
        skip: flags['insecure-skip-signatures'],
        signal,
        onTrust,
      },
      realHost,
    ),
  };
}
