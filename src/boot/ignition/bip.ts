import { EdgefabError } from '../../errors.ts';
import type { Ignition } from './ignition.ts';

/** What every bootstrap-in-place config for the live ISO has, on every release line from 4.12 on. */
const BIP_FILES = [
  '/usr/local/bin/install-to-disk.sh',
  '/usr/local/bin/bootkube.sh',
  '/usr/local/bin/release-image.sh',
];
const BIP_UNITS = ['bootkube.service', 'install-to-disk.service'];
const BIP_FOLDER = '/opt/openshift/';

function missingParts(ignition: Ignition): string[] {
  const paths = new Set(ignition.files.map((file) => file.path));
  const units = new Set(ignition.units.map((unit) => unit.name));
  const missing = [
    ...BIP_FILES.filter((path) => !paths.has(path)).map((path) => `the file ${path}`),
    ...BIP_UNITS.filter((name) => !units.has(name)).map((name) => `the unit ${name}`),
  ];
  if (![...paths].some((path) => path.startsWith(BIP_FOLDER))) missing.push(`any file under ${BIP_FOLDER}`);
  return missing;
}

/** Tells whether a config is a bootstrap-in-place config for the live ISO. */
export function isBip(ignition: Ignition): boolean {
  return missingParts(ignition).length === 0;
}

/** Makes sure a config is a bootstrap-in-place config. Throws IGNITION_NOT_BIP listing what is missing. */
export function assertBip(ignition: Ignition): void {
  const missing = missingParts(ignition);
  if (missing.length === 0) return;
  throw new EdgefabError(
    `${ignition.where} is no bootstrap-in-place Ignition config: it lacks ${missing.join(', ')}`,
    {
      code: 'IGNITION_NOT_BIP',
      suggestions: [
        'Make one with: openshift-install create single-node-ignition-config --dir DIR, and give DIR/bootstrap-in-place-for-live-iso.ign',
      ],
      place: { file: ignition.where },
    },
  );
}
