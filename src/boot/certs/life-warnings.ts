import type { CertificateChange } from './certificate-change.ts';
import type { Pki } from './read-pki.ts';
import { daysAndHours } from './shelf-life.ts';

/** Above this, what a lost stick can do deserves a second thought. */
const LONG_LIFE_MS = 30 * 86_400_000;

/**
 * Says plainly what a longer life means: who could misuse a stick, until when, and that a long one is rarely
 * needed. Empty when nothing changed.
 */
export function lifeWarnings(
  changes: readonly CertificateChange[],
  pki: Pki,
  horizon: Date,
  validForMs: number,
): string[] {
  if (changes.length === 0) return [];
  const until = horizon.toISOString();
  const signers = changes.filter(({ kind }) => kind === 'ca').map(({ subject }) => subject);
  const admins = [...pki.certificates.values()].filter(({ subject }) => subject.includes('O=system:masters'));
  const adminUntil = Math.max(...admins.map(({ notAfter }) => notAfter.getTime()));
  return [
    ...(signers.length === 0
      ? []
      : [
          `until ${until}, whoever reads this config or a stick made from it holds the keys of signers the cluster trusts (${signers.join('; ')}) and can become cluster administrator`,
        ]),
    ...(Number.isFinite(adminUntil)
      ? [
          `as it came from the installer, it also holds an administrator's certificate that lasts until ${new Date(adminUntil).toISOString()}: keep the stick like a password, and rotate the cluster's signers after the install`,
        ]
      : []),
    ...(validForMs > LONG_LIFE_MS
      ? [
          `${daysAndHours(validForMs)} is long: choose the longest time between building and booting, rarely more than 30 d, and build again when it has passed`,
        ]
      : []),
  ];
}

/**
 * The commands that make the signers on a stick worthless once the cluster is installed: new ones for the two that
 * were extended, a new administrator, and no more trust in what is older than START. They are oc's (4.13 and
 * newer), which calls them experimental.
 */
export const ROTATE_COMMANDS: readonly string[] = [
  'START=$(date -u +%Y-%m-%dT%H:%M:%SZ)',
  'oc adm ocp-certificates regenerate-top-level -n openshift-kube-apiserver-operator secrets aggregator-client-signer',
  'oc adm ocp-certificates regenerate-top-level -n openshift-kube-controller-manager-operator secrets csr-signer-signer',
  'oc adm wait-for-stable-cluster',
  'oc config new-admin-kubeconfig > new-admin.kubeconfig',
  'oc adm ocp-certificates remove-old-trust -n openshift-config-managed configmaps kube-apiserver-aggregator-client-ca --created-before "$START"',
  'oc adm ocp-certificates remove-old-trust -n openshift-kube-controller-manager-operator configmaps csr-controller-signer-ca --created-before "$START"',
];
