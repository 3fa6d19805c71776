import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { certificateHorizon } from '../../../src/boot/certs/certificate-horizon.ts';
import { certificatesOf } from '../../../src/boot/certs/certificates-of.ts';
import { loadIgnition } from '../../../src/boot/ignition/load-ignition.ts';
import { bipIgnition, FIXTURES, tlsFiles } from '../../support/bip-ignition.ts';

const HOUR = 3_600_000;
const TLS = '/opt/openshift/tls/';

describe('certificates made by openssl', () => {
  const files = tlsFiles();
  const chain = files.find((file) => file.path.endsWith('localhost-server.crt'))?.text ?? '';
  const ignition = bipIgnition({
    extraFiles: [
      ...files,
      // As in a ConfigMap: indented. As in a kubeconfig: base64 of PEM.
      { path: '/m/configmap.yaml', mode: 0o644, text: `data:\n  ca: |\n${chain.replace(/^/gm, '    ')}` },
      {
        path: '/m/kubeconfig',
        mode: 0o600,
        text: `client-certificate-data: ${Buffer.from(chain).toString('base64')}\n`,
      },
    ],
  });
  const found = certificatesOf(ignition);

  test('are found in files, chains, manifests and kubeconfigs', () => {
    const rows = found.map(({ path, index, subject, kind }) => `${path} ${index} ${kind} ${subject}`);
    const leaf = 'leaf O=kube-master, CN=system:kube-apiserver';
    const ca = 'ca OU=openshift, CN=kubelet-signer';
    expect(rows).toEqual([
      `${TLS}kubelet-signer.crt 0 ${ca}`,
      `${TLS}kube-apiserver-localhost-server.crt 0 ${leaf}`,
      `${TLS}kube-apiserver-localhost-server.crt 1 ${ca}`,
      `/m/configmap.yaml 0 ${leaf}`,
      `/m/configmap.yaml 1 ${ca}`,
      `/m/kubeconfig 0 ${leaf}`,
      `/m/kubeconfig 1 ${ca}`,
    ]);
    expect(found[1]?.issuer).toBe('OU=openshift, CN=kubelet-signer');
  });

  test('last as long as they were made for', () => {
    const hours = ({ notBefore, notAfter }: (typeof found)[number]): number =>
      (notAfter.getTime() - notBefore.getTime()) / HOUR;
    expect(found.slice(0, 2).map(hours)).toEqual([24, 720]);
  });

  test('the first to end is the horizon', () => {
    const horizon = certificateHorizon(found);
    expect(horizon?.notAfter).toEqual(found[0]?.notAfter);
    expect(horizon?.certificates.map(({ path }) => path)).toEqual([
      `${TLS}kubelet-signer.crt`,
      `${TLS}kube-apiserver-localhost-server.crt`,
      '/m/configmap.yaml',
      '/m/kubeconfig',
    ]);
  });
});

test('a config without certificates has none, and no horizon', () => {
  expect(certificatesOf(bipIgnition())).toEqual([]);
  expect(certificateHorizon([])).toBeUndefined();
});

test('a certificate that is none is named by file and place', () => {
  const text = '-----BEGIN CERTIFICATE-----\naGVsbG8=\n-----END CERTIFICATE-----\n';
  const ignition = bipIgnition({ extraFiles: [{ path: `${TLS}x.crt`, mode: 0o600, text }] });
  expect(() => certificatesOf(ignition)).toThrow(
    /certificate 0 of \/opt\/openshift\/tls\/x\.crt cannot be read: got 5 bytes/,
  );
});

describe.skipIf(FIXTURES === undefined)('real configs (needs EDGEFAB_FIXTURES)', () => {
  test.each(['bip-4.13', 'bip-4.18', 'bip-4.21'])('%s ends a day after it was made', async (name) => {
    const found = certificatesOf(await loadIgnition(join(FIXTURES ?? '', 'ignition', `${name}.ign`)));
    const horizon = certificateHorizon(found);
    expect(horizon?.notAfter.toISOString()).toMatch(/^2026-11-02T00:00:0/);
    // Nine certificates live one day, and those nine are files of their own under tls/.
    const oneDay = new Set(
      found
        .filter(({ notBefore, notAfter }) => notAfter.getTime() - notBefore.getTime() < 25 * HOUR)
        .filter(({ path, index }) => index === 0 && !path.endsWith('-bundle.crt'))
        .map(({ path }) => path),
    );
    expect([...oneDay].sort()).toEqual(
      [
        ...['aggregator-ca', 'aggregator-client', 'aggregator-signer', 'apiserver-proxy', 'kubelet-signer'],
        ...['internal-lb', 'lb', 'localhost', 'service-network'].map(
          (each) => `kube-apiserver-${each}-server`,
        ),
      ]
        .map((each) => `${TLS}${each}.crt`)
        .sort(),
    );
    const bundle = found.filter(({ path }) => path.endsWith('complete-client-ca-bundle.crt'));
    expect(bundle.map(({ index }) => index)).toEqual([0, 1, 2, 3, 4]);
    expect(found.some(({ path }) => path === '/opt/openshift/auth/kubeconfig')).toBe(true);
  });
});
