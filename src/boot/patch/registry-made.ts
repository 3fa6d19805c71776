import { EdgefabError } from '../../errors.ts';
import { fileText } from '../ignition/file-contents.ts';
import type { Ignition } from '../ignition/ignition.ts';
import type { RegistryCertificates } from './registry-certificates.ts';
import { REGISTRY_FILES } from './registry-files.ts';

/** What was made for a config when it was patched for registry mode, and must stay when it is patched again. */
export interface RegistryMade {
  readonly buildTime: Date;
  readonly certificates: RegistryCertificates;
}

/** Reads out of a config what an earlier patch made for it; undefined for one that was not patched for registry mode. */
export function registryMade(ignition: Ignition): RegistryMade | undefined {
  const environment = fileText(ignition, REGISTRY_FILES.environment);
  if (environment === undefined) return undefined;
  const value = (name: string): string =>
    new RegExp(`^EDGEFAB_${name}=(.*)$`, 'm').exec(environment)?.[1] ?? '';
  const part = (path: string): string => {
    const text = fileText(ignition, path);
    if (text !== undefined) return text;
    throw new EdgefabError(
      `${ignition.where}: it has ${REGISTRY_FILES.environment} but no ${path}: it was patched for registry mode, and then changed`,
      {
        code: 'IGNITION_INVALID',
        suggestions: ['Start from the Ignition config as openshift-install wrote it'],
        place: { file: ignition.where, field: path },
      },
    );
  };
  return {
    buildTime: new Date(Number(value('BUILD_TIME')) * 1000),
    certificates: {
      caPem: part(REGISTRY_FILES.authority),
      certificatePem: part(REGISTRY_FILES.certificate),
      keyPem: part(REGISTRY_FILES.key),
    },
  };
}
