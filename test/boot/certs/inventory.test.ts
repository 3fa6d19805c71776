import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { inventory } from '../../../src/boot/certs/inventory.ts';
import { loadIgnition } from '../../../src/boot/ignition/load-ignition.ts';
import { bipIgnition, FIXTURES } from '../../support/bip-ignition.ts';
import { installerFiles, madeCertificate, madeKey } from '../../support/made-pki.ts';

const TLS = '/opt/openshift/tls/';
const company = madeCertificate({
  organization: 'company',
  commonName: 'root',
  key: madeKey('P-256 SEC1', 0),
  ca: true,
  days: -3,
});
const found = inventory(
  bipIgnition({
    extraFiles: [
      ...installerFiles({ signers: 'P-384 PKCS#8', leaves: 'P-256 SEC1' }),
      { path: '/etc/pki/ca-trust/source/anchors/company.crt', mode: 0o644, text: company.pem },
    ],
  }),
);
const of = (path: string, index = 0) =>
  found.certificates.find((each) => each.path === path && each.index === index);

test.each([
  [
    `${TLS}kubelet-signer.crt`,
    0,
    {
      subject: 'O=openshift, CN=kubelet-signer',
      kind: 'ca',
      keyType: 'ECDSA P-384',
      hasKey: true,
      hasIssuerKey: true,
      outside: false,
      trustedBy: ['clients of kubelet', 'joining nodes', 'kube-apiserver', 'kube-apiserver (kubelets)'],
    },
  ],
  [
    `${TLS}kube-apiserver-lb-server.crt`,
    0,
    {
      subject: 'O=kube-master, CN=kube-apiserver-lb-server',
      issuer: 'O=openshift, CN=kube-apiserver-lb-signer',
      kind: 'leaf',
      keyType: 'ECDSA P-256',
      hasIssuerKey: true,
      trustedBy: ['admin kubeconfig', 'clients of kube-apiserver', 'control plane'],
    },
  ],
  [
    `${TLS}kube-apiserver-lb-server.crt`,
    1,
    { subject: 'O=openshift, CN=kube-apiserver-lb-signer', kind: 'ca' },
  ],
  [
    '/opt/openshift/auth/kubeconfig',
    2,
    { subject: 'O=system:masters, CN=system:admin', hasKey: true, hasIssuerKey: false },
  ],
  [
    '/opt/openshift/openshift/99_openshift-cluster-api_master-user-data-secret.yaml',
    0,
    { subject: 'O=openshift, CN=kubelet-signer' },
  ],
  ['/etc/pki/ca-trust/source/anchors/company.crt', 0, { outside: true, hasKey: false }],
])('%s, certificate %d', (path, index, want) => {
  expect(of(path, index)).toMatchObject(want);
});

test('what only lets others be trusted does not end the shelf life', () => {
  expect(found.horizon?.notAfter).toEqual(new Date('2026-11-02T00:00:00Z'));
  expect(found.horizon?.certificates.some(({ path }) => path.endsWith('company.crt'))).toBe(false);
});

test('of keys only the places are told', () => {
  expect(found.keyPaths).toContain(`${TLS}kubelet-signer.key`);
  expect(found.keyPaths).toContain('/opt/openshift/auth/kubeconfig');
  expect(JSON.stringify(found)).not.toMatch(/PRIVATE|MII|LS0t/);
});

describe.skipIf(FIXTURES === undefined)('real configs (needs EDGEFAB_FIXTURES)', () => {
  test.each([
    ['bip-4.13', 60],
    ['bip-4.18', 60],
    ['bip-4.21', 62],
  ])('%s has %d certificates, also in nested configs, and no stranger', async (name, count) => {
    const { certificates } = inventory(await loadIgnition(join(FIXTURES ?? '', 'ignition', `${name}.ign`)));
    expect(certificates).toHaveLength(count);
    expect(certificates.filter(({ outside, trustedBy }) => outside || trustedBy.length === 0)).toEqual([]);
    expect(certificates.filter(({ path }) => path.endsWith('user-data-secret.yaml'))).toHaveLength(2);
  });
});
