/**
 * API groups that are there while the bootstrap applies manifests: Kubernetes' own, and those whose
 * CustomResourceDefinitions come with the release payload. Not among them: what operators bring when they are
 * installed, and what the OpenShift API server serves later (routes, builds, image streams, projects, templates).
 */
const GROUPS = new Set([
  // Kubernetes; the core group has no name.
  '',
  ...['apps', 'autoscaling', 'batch', 'policy'],
  ...['admissionregistration', 'apiextensions', 'apiregistration', 'authentication', 'authorization']
    .concat(['certificates', 'coordination', 'discovery', 'events', 'networking', 'node'])
    .concat(['rbac.authorization', 'resource', 'scheduling', 'storage', 'flowcontrol.apiserver'])
    .map((group) => `${group}.k8s.io`),
  // The release payload
  ...[
    'config',
    'operator',
    'machineconfiguration',
    'machine',
    'security.internal',
    'tuned',
    'performance',
    'console',
  ]
    .concat(['cloud.network', 'network', 'network.operator', 'ingress.operator', 'imageregistry.operator'])
    .concat(['samples.operator', 'cloudcredential', 'controlplane.operator', 'helm', 'apiserver', 'insights'])
    .concat(['sharedresource', 'monitoring', 'security'])
    .map((group) => `${group}.openshift.io`),
  ...['operators.coreos.com', 'monitoring.coreos.com', 'olm.operatorframework.io', 'metal3.io'],
]);

/** Tells whether the API group of a manifest (empty for the core group) is served during the bootstrap. */
export function isServedAtBootstrap(group: string): boolean {
  return GROUPS.has(group);
}
