const TLS = '/opt/openshift/tls/';
const AUTH = '/opt/openshift/auth/';
const MANIFESTS = '/opt/openshift/manifests/';
const OPENSHIFT = '/opt/openshift/openshift/';
const SERVERS = `${TLS}kube-apiserver-complete-server-ca-bundle.crt`;
const CLIENTS = `${TLS}kube-apiserver-complete-client-ca-bundle.crt`;

/** Who reads the trust that stands in a file of the installer's. Any other file speaks for itself. */
const READERS: Readonly<Record<string, string>> = {
  [SERVERS]: 'clients of kube-apiserver',
  [CLIENTS]: 'kube-apiserver',
  [`${TLS}admin-kubeconfig-ca-bundle.crt`]: 'kube-apiserver (admin)',
  [`${TLS}aggregator-ca-bundle.crt`]: 'aggregated API servers',
  [`${TLS}aggregator-ca.crt`]: 'nobody (deprecated)',
  [`${TLS}aggregator-signer.crt`]: 'kube-apiserver (front proxy)',
  [`${TLS}kube-apiserver-lb-ca-bundle.crt`]: 'clients of kube-apiserver',
  [`${TLS}kube-apiserver-localhost-ca-bundle.crt`]: 'clients of kube-apiserver',
  [`${TLS}kube-apiserver-service-network-ca-bundle.crt`]: 'clients of kube-apiserver',
  [`${TLS}kube-apiserver-to-kubelet-ca-bundle.crt`]: 'kubelet',
  [`${TLS}kube-control-plane-ca-bundle.crt`]: 'control plane',
  [`${TLS}kubelet-bootstrap-kubeconfig-ca-bundle.crt`]: 'kube-apiserver (bootstrap)',
  [`${TLS}kubelet-client-ca-bundle.crt`]: 'kube-apiserver (kubelets)',
  [`${TLS}kubelet-serving-ca-bundle.crt`]: 'clients of kubelet',
  [`${TLS}root-ca.crt`]: 'clients of machine-config-server',
  [`${AUTH}kubeconfig`]: 'admin kubeconfig',
  [`${AUTH}kubeconfig-kubelet`]: 'kubelet',
  [`${AUTH}kubeconfig-loopback`]: 'loopback kubeconfig',
  [`${MANIFESTS}kube-system-configmap-root-ca.yaml`]: 'configmap root-ca',
  [`${MANIFESTS}machine-config-server-ca-configmap.yaml`]: 'machine-config-operator',
  [`${MANIFESTS}machine-config-server-ca-secret.yaml`]: 'machine-config-operator',
  [`${OPENSHIFT}99_openshift-cluster-api_master-user-data-secret.yaml`]: 'joining nodes',
  [`${OPENSHIFT}99_openshift-cluster-api_worker-user-data-secret.yaml`]: 'joining nodes',
};

const ADMIN = [`${TLS}admin-kubeconfig-ca-bundle.crt`, CLIENTS];
const BOOTSTRAP = [`${TLS}kubelet-bootstrap-kubeconfig-ca-bundle.crt`, CLIENTS];
const CONTROL_PLANE = [`${TLS}kube-control-plane-ca-bundle.crt`, CLIENTS];

/** The files against which the consumers of a leaf check it, by the file that holds the leaf. */
export const CHECKED_AGAINST: Readonly<Record<string, readonly string[]>> = {
  [`${TLS}kube-apiserver-lb-server.crt`]: [
    SERVERS,
    `${TLS}kube-apiserver-lb-ca-bundle.crt`,
    `${AUTH}kubeconfig`,
  ],
  [`${TLS}kube-apiserver-internal-lb-server.crt`]: [
    SERVERS,
    `${TLS}kube-apiserver-lb-ca-bundle.crt`,
    `${AUTH}kubeconfig`,
    `${AUTH}kubeconfig-kubelet`,
  ],
  [`${TLS}kube-apiserver-localhost-server.crt`]: [
    SERVERS,
    `${TLS}kube-apiserver-localhost-ca-bundle.crt`,
    `${AUTH}kubeconfig-loopback`,
  ],
  [`${TLS}kube-apiserver-service-network-server.crt`]: [
    SERVERS,
    `${TLS}kube-apiserver-service-network-ca-bundle.crt`,
  ],
  [`${TLS}aggregator-client.crt`]: [`${TLS}aggregator-ca-bundle.crt`, `${TLS}aggregator-signer.crt`],
  // The bootstrap kube-apiserver shows this one where aggregator-signer is trusted; its own CA is in no bundle.
  [`${TLS}apiserver-proxy.crt`]: [`${TLS}aggregator-ca.crt`],
  [`${TLS}kube-apiserver-to-kubelet-client.crt`]: [`${TLS}kube-apiserver-to-kubelet-ca-bundle.crt`],
  [`${TLS}kube-control-plane-kube-controller-manager-client.crt`]: CONTROL_PLANE,
  [`${TLS}kube-control-plane-kube-scheduler-client.crt`]: CONTROL_PLANE,
  [`${TLS}kubelet-client.crt`]: BOOTSTRAP,
  [`${AUTH}kubeconfig`]: ADMIN,
  [`${AUTH}kubeconfig-loopback`]: ADMIN,
  [`${AUTH}kubeconfig-kubelet`]: BOOTSTRAP,
  [`${TLS}machine-config-server.crt`]: [`${TLS}root-ca.crt`],
  [`${TLS}journal-gatewayd.crt`]: [`${TLS}root-ca.crt`],
};

/** Says who trusts what stands in a file: by name for the installer's, otherwise the path. */
export function readerOf(path: string): string {
  return READERS[path] ?? path;
}

/** Tells whether a file of the installer's is read as trust. */
export function isKnownTrust(path: string): boolean {
  return Object.hasOwn(READERS, path);
}
