import type { ReleaseVersion } from '../../formats/release-version.ts';
import { isLineOrLater } from '../../formats/release-version.ts';
import type { Ignition } from '../ignition/ignition.ts';
import { CLUSTER_VERSION } from './cluster-version.ts';
import { isRecord, manifestOf } from './manifest-file.ts';

/** Parts of a release that an install-config may leave out, with the 4.x line from which on it may. */
const OPTIONAL_SINCE = { marketplace: 11, OperatorLifecycleManager: 15 } as const;

/**
 * Tells whether a cluster will have an optional part of its release. The set `v4.N` has what was optional in
 * 4.N, `None` has nothing, and `vCurrent`, which no set means too, has all.
 */
export function hasCapability(
  ignition: Ignition,
  capability: keyof typeof OPTIONAL_SINCE,
  version: ReleaseVersion,
): boolean {
  const since = OPTIONAL_SINCE[capability];
  if (!isLineOrLater(version, 4, since)) return true;
  const spec = manifestOf(ignition, CLUSTER_VERSION)?.spec;
  const said = isRecord(spec) ? spec.capabilities : undefined;
  if (!isRecord(said)) return true;
  const { baselineCapabilitySet: set = 'vCurrent', additionalEnabledCapabilities: more } = said;
  if (Array.isArray(more) && more.includes(capability)) return true;
  if (set === 'vCurrent' || set === '') return true;
  const [, major, minor] = /^v([0-9]+)\.([0-9]+)$/.exec(String(set)) ?? [];
  return Number(major) > 4 || (Number(major) === 4 && Number(minor) >= since);
}
