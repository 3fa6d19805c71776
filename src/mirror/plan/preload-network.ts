import type { Lock, LockedImage } from '../resolve/lock.ts';
import { pullsNodeImage } from './live-phase.ts';

/** What a machine in mode preload still pulls from a network, in bytes at most: layers it holds are not sent again. */
export interface PreloadNetwork {
  /** The operating system, which only ever comes from a registry. */
  readonly osBytes: number;
  /** How often it is pulled: by the rebase after the restart, and from 4.19 on in the live phase too. */
  readonly osTimes: number;
  /** machine-config-operator: the installed node pulls it without looking at what is there. */
  readonly machineConfigBytes: number;
  /** The release image: the cluster-version operator always asks for it, and `oc adm release info` from 4.14 on. */
  readonly releaseBytes: number;
  readonly totalBytes: number;
}

/** The unit whose pull never looks at the image store. */
const PULL_UNIT = 'machine-config-daemon-pull.service';

function largest(images: readonly LockedImage[]): number {
  return Math.max(0, ...images.map(({ sizeBytes }) => sizeBytes));
}

/** Counts what mode preload does not save of a release; all 0 for a lock without one. */
export function preloadNetwork({ images, release }: Pick<Lock, 'images' | 'release'>): PreloadNetwork {
  // A payload may hold several; a node is rebased to one.
  const osBytes = largest(images.filter(({ roles }) => roles.includes('os')));
  const osTimes = pullsNodeImage(release?.version) ? 2 : 1;
  const machineConfigBytes = largest(
    images.filter(({ requiredBy }) => requiredBy.some((who) => who.includes(PULL_UNIT))),
  );
  const releaseBytes = largest(images.filter(({ digest }) => digest === release?.digest));
  const totalBytes = osBytes * osTimes + machineConfigBytes + releaseBytes;
  return { osBytes, osTimes, machineConfigBytes, releaseBytes, totalBytes };
}
