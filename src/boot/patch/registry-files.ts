import type { NewDropin, NewFile, NewUnit } from '../ignition/edit-ignition.ts';
import type { Overlays } from './overlay.ts';
import { checkRegistryCertificates, type RegistryCertificates } from './registry-certificates.ts';
import { renderRegistryConfig } from './registry-config.ts';
import { type RegistrySettings, renderRegistryEnvironment } from './registry-settings.ts';

/** Where on the machine the parts lie that are made for it. */
export const REGISTRY_FILES = {
  environment: '/etc/edgefab/registry.env',
  certificate: '/etc/edgefab/tls/registry.crt',
  key: '/etc/edgefab/tls/registry.key',
  authority: '/etc/pki/ca-trust/source/anchors/edgefab-registry-ca.crt',
} as const;

/**
 * The files of the registry on the machine, the same in both phases: settings, certificates, scripts. The CA is
 * in the system's trust for `oc` and curl, and beside the registry's name for podman, skopeo and CRI-O, which
 * find it there also before the system's trust is made. Throws CERTIFICATES_INVALID.
 */
export function registryFiles(
  settings: RegistrySettings,
  certificates: RegistryCertificates,
  overlays: Overlays,
): NewFile[] {
  checkRegistryCertificates(certificates);
  const { certificatePem, keyPem } = certificates;
  const caPem = `${certificates.caPem.trim()}\n`;
  const { port } = settings;
  const script = (name: keyof Overlays & `scripts/${string}`, mode = 0o755): NewFile => ({
    path: `/usr/local/bin/${name.slice('scripts/'.length)}`,
    mode,
    text: overlays[name],
  });
  return [
    { path: REGISTRY_FILES.environment, mode: 0o644, text: renderRegistryEnvironment(settings) },
    { path: '/etc/edgefab/registry.yml', mode: 0o644, text: renderRegistryConfig(port) },
    { path: REGISTRY_FILES.certificate, mode: 0o644, text: certificatePem },
    { path: REGISTRY_FILES.key, mode: 0o600, text: keyPem },
    { path: REGISTRY_FILES.authority, mode: 0o644, text: caPem },
    { path: `/etc/containers/certs.d/localhost:${port}/ca.crt`, mode: 0o644, text: caPem },
    script('scripts/edgefab-disk.sh', 0o644),
    script('scripts/edgefab-clock.sh'),
    script('scripts/edgefab-cache.sh'),
    script('scripts/edgefab-registry.sh'),
    script('scripts/edgefab-registry-ready.sh'),
  ];
}

/** The units of the registry on the machine; only the one that waits for the disk differs by phase. */
export function registryUnits(phase: 'live' | 'installed', overlays: Overlays): NewUnit[] {
  const unit = (name: string, contents: string): NewUnit => ({ name, enabled: true, contents });
  return [
    unit('edgefab-clock.service', overlays['units/edgefab-clock.service']),
    unit('edgefab-cache.service', overlays[`${phase}/edgefab-cache.service`]),
    unit('edgefab-registry.service', overlays['units/edgefab-registry.service']),
    unit('edgefab-registry-v6.service', overlays['units/edgefab-registry-v6.service']),
    unit('edgefab-registry-ready.service', overlays['units/edgefab-registry-ready.service']),
  ];
}

/** The drop-in that lets a unit wait for the registry and for the system's trust. */
export function registryOrder(overlays: Overlays): NewDropin {
  return { name: '10-edgefab-registry.conf', contents: overlays['units/registry-order.conf'] };
}
