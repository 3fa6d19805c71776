import type { Fault } from '../errors.ts';
import type { Origin } from '../formats/checked-value.ts';
import type { FieldPath } from '../formats/field-path.ts';
import type { Site } from './site.ts';
import { networkFaults, siteNetwork } from './site-network.ts';
import type { SiteEntry } from './site-schema.ts';
import { durationMs } from './values.ts';

/** Finds what is missing in a merged site, or wrong between its parts. */
export function siteFaults(site: SiteEntry, origin: Origin, hasInstallConfig: boolean): Fault[] {
  const faults: Fault[] = site.network === undefined ? [] : networkFaults(site.network, origin);
  const add = (path: FieldPath, message: string): void => {
    faults.push({ place: origin.placeOf(path), message });
  };
  if (site.ignition === undefined) {
    if (site.domain === undefined)
      add(['domain'], 'missing, expected a DNS domain here or in defaults, for example edge.example.com');
    if (site.installDisk === undefined)
      add(['installDisk'], 'missing, expected byId or path of the disk to install on, here or in defaults');
    if (!hasInstallConfig)
      add(['ignition'], 'missing, expected a ready Ignition config here, or installConfig in the factory');
  }
  const { validFor, shelfLife } = site.certificates ?? {};
  if (validFor !== undefined && shelfLife !== undefined && lifeMs(shelfLife) >= lifeMs(validFor))
    add(
      ['certificates', 'shelfLife'],
      `found ${shelfLife}, expected less than validFor (${validFor}): the stick must boot while its certificates are valid`,
    );
  return faults;
}

function lifeMs(text: string): number {
  return durationMs(text) ?? 0;
}

/** Fills in what a merged site leaves open; `absolute` turns a path as written into an absolute one. */
export function finishSite(
  site: SiteEntry,
  origin: Origin,
  absolute: (path: string, field: FieldPath) => string,
): Site {
  const { name, domain, ignition, installDisk, network, certificates = {}, cache = {} } = site;
  const paths = (key: 'overlays' | 'manifests'): string[] =>
    (site[key] ?? []).map((path, index) => absolute(path, [key, index]));
  return {
    name,
    clusterName: site.clusterName ?? name,
    ...(domain === undefined ? {} : { domain }),
    hostname: site.hostname ?? name,
    ...(ignition === undefined ? {} : { ignition: absolute(ignition, ['ignition']) }),
    machine: site.machine?.ramMiB === undefined ? {} : { ramMiB: site.machine.ramMiB },
    ...(installDisk === undefined ? {} : { installDisk }),
    cache: {
      mode: cache.mode ?? 'registry',
      location: cache.location ?? 'usb',
      keepOnNode: cache.keepOnNode ?? true,
      ...(cache.serve === undefined ? {} : { serve: cache.serve }),
    },
    dns: site.dns ?? 'local',
    ...(network === undefined ? {} : { network: siteNetwork(network) }),
    ntp: { servers: site.ntp?.servers ?? [] },
    certificates: {
      ...(certificates.validFor === undefined ? {} : { validForMs: lifeMs(certificates.validFor) }),
      ...(certificates.shelfLife === undefined ? {} : { shelfLifeMs: lifeMs(certificates.shelfLife) }),
    },
    overlays: paths('overlays'),
    manifests: paths('manifests'),
    kargs: { append: site.kargs?.append ?? [], delete: site.kargs?.delete ?? [] },
    place: origin.placeOf([]),
  };
}
