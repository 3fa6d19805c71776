import type { NewFile } from '../ignition/edit-ignition.ts';
import type { Ignition } from '../ignition/ignition.ts';
import { isRecord, listIn, manifestFile, manifestOf } from './manifest-file.ts';
import { textUnknown } from './step.ts';

/** The ClusterVersion the installer writes. */
export const CLUSTER_VERSION = '/opt/openshift/manifests/cvo-overrides.yaml';

/** Names one object of the cluster. */
export interface ObjectName {
  readonly group: string;
  readonly kind: string;
  readonly name: string;
  readonly namespace: string;
}

/**
 * Renders the ClusterVersion with one object more that the bootstrap's version operator must not make, as the
 * installer says of each manifest it ships itself: else the operator, which runs beside the creation of
 * manifests, may make its own first, and ours is passed over as there already. The installed cluster drops
 * all these overrides. Throws INSTALLER_TEXT_UNKNOWN, IGNITION_INVALID.
 */
export function withBootstrapOverride(ignition: Ignition, object: ObjectName): NewFile | undefined {
  const manifest = manifestOf(ignition, CLUSTER_VERSION);
  const expected = 'kind: ClusterVersion';
  if (manifest?.kind !== 'ClusterVersion') {
    throw textUnknown({
      step: 'operator-hub',
      where: ignition.where,
      path: CLUSTER_VERSION,
      expected,
      found: manifest === undefined ? undefined : `kind: ${String(manifest.kind).slice(0, 60)}`,
      wanted: `${expected}\nspec:\n  overrides:\n  - kind: ${object.kind}`,
    });
  }
  const overrides = listIn(ignition, CLUSTER_VERSION, manifest, ['spec', 'overrides']);
  const known = overrides.some(
    (each) => each.kind === object.kind && each.name === object.name && each.group === object.group,
  );
  if (known) return undefined;
  return manifestFile(CLUSTER_VERSION, {
    ...manifest,
    spec: {
      ...(isRecord(manifest.spec) ? manifest.spec : {}),
      overrides: [...overrides, { ...object, unmanaged: true }],
    },
  });
}
