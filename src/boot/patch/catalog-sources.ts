import { createHash } from 'node:crypto';
import { EdgefabError } from '../../errors.ts';
import type { NewFile } from '../ignition/edit-ignition.ts';
import type { Ignition } from '../ignition/ignition.ts';
import { fileChange } from './changes.ts';
import { hasCapability } from './cluster-capability.ts';
import { checkPinnedImage } from './machine-values.ts';
import { manifestFile } from './manifest-file.ts';
import { releaseVersionOf } from './release-version-of.ts';
import type { Step } from './step.ts';

/** The catalogs a cluster is to offer. */
export interface CatalogSourcesSettings {
  /** HOST/PATH@sha256:HEX of each locked catalog. */
  readonly catalogs: readonly string[];
  /** The release, such as 4.18.9. */
  readonly version: string;
}

const NAME = 'catalog-sources';
const WHY = 'operators can be installed from the catalogs in the cache';
const NAMESPACE = 'openshift-marketplace';
/** The name becomes that of a Service (RFC 1035 label, 63 characters) and a part of a pod's, with 6 more. */
const MAX_NAME = 50;

function plainName(image: string): string {
  const repository = image.slice(0, image.indexOf('@'));
  const last = repository.slice(repository.lastIndexOf('/') + 1);
  return `edgefab-${last.replace(/[^a-z0-9]+/g, '-')}`;
}

/** Names each catalog after its repository; those that would share a name get a piece of their hash. */
function namesOf(images: readonly string[]): [string, string][] {
  const plain = images.map(plainName);
  return images.map((image, at) => {
    const name = plain[at] ?? '';
    const unique = plain.filter((each) => each === name).length === 1 && name.length <= MAX_NAME;
    if (unique) return [image, name.replace(/-+$/, '')];
    const hash = createHash('sha256').update(image).digest('hex').slice(0, 8);
    return [image, `${name.slice(0, MAX_NAME - hash.length - 1).replace(/-+$/, '')}-${hash}`];
  });
}

/** By digest, and without registryPoll, nobody looks for a newer one. */
function catalogSource(image: string, name: string): NewFile {
  return manifestFile(`/opt/openshift/openshift/99_${name}-catalog-source.yaml`, {
    apiVersion: 'operators.coreos.com/v1alpha1',
    kind: 'CatalogSource',
    metadata: { name, namespace: NAMESPACE },
    spec: { sourceType: 'grpc', image, displayName: name, publisher: 'edgefab' },
  });
}

/** The namespace comes with the marketplace; a cluster without it still has catalogs once somebody makes it. */
const NAMESPACE_FILE = manifestFile('/opt/openshift/openshift/99_edgefab-marketplace-namespace.yaml', {
  apiVersion: 'v1',
  kind: 'Namespace',
  metadata: {
    name: NAMESPACE,
    annotations: { 'openshift.io/node-selector': '', 'workload.openshift.io/allowed': 'management' },
    labels: { 'pod-security.kubernetes.io/enforce': 'baseline' },
  },
});

/**
 * Plans a CatalogSource for each catalog in the cache. Its kind comes with the payload's operator lifecycle
 * manager, which the bootstrap's version operator sets up; a cluster without that would wait for the kind for
 * ever, so it is refused. Throws USAGE_INVALID, RELEASE_UNKNOWN, CAPABILITY_DISABLED, IGNITION_INVALID.
 */
export function catalogSourcesStep(ignition: Ignition, settings: CatalogSourcesSettings): Step {
  const catalogs = [...new Set(settings.catalogs)].sort();
  for (const image of catalogs) checkPinnedImage('catalog', image);
  const version = releaseVersionOf(settings.version);
  if (catalogs.length === 0)
    return { name: NAME, why: WHY, changes: [], skipped: 'the cache has no catalogs' };
  if (!hasCapability(ignition, 'OperatorLifecycleManager', version)) {
    throw new EdgefabError(
      `${ignition.where}: got ${catalogs.length} catalogs for a cluster that is installed without the capability OperatorLifecycleManager, want that capability or no catalogs`,
      {
        code: 'CAPABILITY_DISABLED',
        suggestions: [
          'Add OperatorLifecycleManager and marketplace to capabilities.additionalEnabledCapabilities in the install-config',
          'Or leave the operators out of the image set',
        ],
        place: { file: ignition.where },
      },
    );
  }
  const namespace = hasCapability(ignition, 'marketplace', version) ? [] : [NAMESPACE_FILE];
  const sources = namesOf(catalogs).map(([image, name]) => catalogSource(image, name));
  return { name: NAME, why: WHY, changes: [...namespace, ...sources].map(fileChange) };
}
