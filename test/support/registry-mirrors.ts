import type { RepositoryMirror } from '../../src/boot/install-config/repository-mirror.ts';
import type { RegistryMirrorsSettings } from '../../src/boot/patch/registry-mirrors.ts';
import { registryCa } from './registry-ca.ts';

/** The mirror of a repository in the registry on the machine. */
export function mirrorOf(source: string, port = 22626): RepositoryMirror {
  return { source, mirror: `localhost:${port}/${source}` };
}

/** One CA for all tests of a run: making one takes a moment, and nothing in them depends on which it is. */
export const TEST_CA = registryCa();

/** Settings with a mirror for the made-up release and for two repositories more. */
export const MIRROR_SETTINGS: RegistryMirrorsSettings = {
  port: 22626,
  repositories: ['quay.io/made-up/release', 'registry.example.com:5000/ubi8/ubi', 'quay.io/made-up/art'].map(
    (source) => ({ source, mirror: `localhost:22626/${source.replace(':', '_')}` }),
  ),
  tagged: [],
  caPem: TEST_CA.certPem,
  version: '4.18.9',
};
