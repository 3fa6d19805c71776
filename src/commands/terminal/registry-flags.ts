import { Flags } from '@oclif/core';
import { realHost } from '../../host/real-host.ts';
import { createRegistryClient, type RegistryClient } from '../../oci/client.ts';
import { loadCredentials } from '../../oci/credentials.ts';
import { loadRegistries } from '../../oci/load-registries.ts';
import { parseProxySettings } from '../../oci/proxy-settings.ts';
import { loadRegistryCertificates } from '../../oci/registry-certificates.ts';

/** Flags of every command that talks to registries; named as skopeo and telco-ran-tools name them. */
export const registryFlags = {
  authfile: Flags.file({
    description: 'registry credentials (containers-auth.json or pull secret); default: where podman looks',
    helpGroup: 'REGISTRY',
  }),
  'registries-conf': Flags.file({
    description:
      'mirrors, insecure and blocked registries (containers-registries.conf); default: where podman looks',
    helpGroup: 'REGISTRY',
  }),
  insecure: Flags.boolean({ description: 'accept plain HTTP and unverified TLS', helpGroup: 'REGISTRY' }),
  parallel: Flags.integer({
    description: 'transfers at once',
    default: 12,
    min: 1,
    max: 32,
    helpGroup: 'REGISTRY',
  }),
  'retry-times': Flags.integer({
    description: 'how often to try again what may pass',
    default: 3,
    min: 0,
    max: 100,
    helpGroup: 'REGISTRY',
  }),
};

export interface RegistryFlagValues {
  readonly authfile: string | undefined;
  readonly 'registries-conf': string | undefined;
  readonly insecure: boolean;
  readonly 'retry-times': number;
}

/**
 * Opens a registry client as the flags and this machine say: credentials, mirrors, certs.d, proxies. `authfile` of
 * a factory's pull secret is used when no flag names one.
 */
export async function openRegistry(flags: RegistryFlagValues, authfile?: string): Promise<RegistryClient> {
  const file = flags.authfile ?? authfile;
  const conf = flags['registries-conf'];
  const [credentials, registries] = await Promise.all([
    loadCredentials(file === undefined ? {} : { authfile: file }, realHost),
    loadRegistries(conf === undefined ? {} : { file: conf }, realHost),
  ]);
  return createRegistryClient(
    {
      credentials,
      registries,
      proxies: parseProxySettings(realHost),
      certificatesFor: (domain) => loadRegistryCertificates(domain, realHost),
      insecure: flags.insecure,
      retryTimes: flags['retry-times'],
    },
    realHost,
  );
}
