import { fileText } from '../ignition/file-contents.ts';
import type { Ignition } from '../ignition/ignition.ts';
import { fileChange } from './changes.ts';
import { hasCapability } from './cluster-capability.ts';
import { withBootstrapOverride } from './cluster-version.ts';
import { manifestFile } from './manifest-file.ts';
import { releaseVersionOf } from './release-version-of.ts';
import type { Step } from './step.ts';

const NAME = 'operator-hub';
const WHY = 'the cluster has no catalogs that want a network';
const FILE = manifestFile('/opt/openshift/openshift/99_edgefab-operator-hub.yaml', {
  apiVersion: 'config.openshift.io/v1',
  kind: 'OperatorHub',
  metadata: { name: 'cluster' },
  spec: { disableAllDefaultSources: true },
});

/** Another manifest of the same object; two of them are one too many for the bootstrap. */
function otherHub(ignition: Ignition): string | undefined {
  const manifests = ignition.files.filter(
    ({ path }) => /^\/opt\/openshift\/(?:manifests|openshift)\//.test(path) && path !== FILE.path,
  );
  return manifests.find(({ path }) => /^kind:\s*["']?OperatorHub\b/m.test(fileText(ignition, path) ?? ''))
    ?.path;
}

/**
 * Plans that the default catalogs, which are pulled from the network by tag, are off from the start. Skipped where
 * the cluster has no marketplace, or the config an OperatorHub of its own. Throws RELEASE_UNKNOWN,
 * INSTALLER_TEXT_UNKNOWN, IGNITION_INVALID.
 */
export function operatorHubStep(ignition: Ignition, settings: { readonly version: string }): Step {
  const other = otherHub(ignition);
  if (other !== undefined)
    return {
      name: NAME,
      why: WHY,
      changes: [],
      skipped: `the config has an OperatorHub of its own, ${other}`,
    };
  if (!hasCapability(ignition, 'marketplace', releaseVersionOf(settings.version)))
    return { name: NAME, why: WHY, changes: [], skipped: 'the cluster is installed without the marketplace' };
  const override = withBootstrapOverride(ignition, {
    group: 'config.openshift.io',
    kind: 'OperatorHub',
    name: 'cluster',
    namespace: '',
  });
  return {
    name: NAME,
    why: WHY,
    changes: [FILE, ...(override === undefined ? [] : [override])].map(fileChange),
  };
}
