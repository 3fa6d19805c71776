import { X509Certificate } from 'node:crypto';
import { once } from 'node:events';
import { join } from 'node:path';
import { connect, createServer } from 'node:tls';
import { describe, expect, test } from 'vitest';
import { extendCertificates } from '../../../src/boot/certs/extend-certificates.ts';
import { inventory } from '../../../src/boot/certs/inventory.ts';
import { CHECKED_AGAINST } from '../../../src/boot/certs/trust-places.ts';
import { diffIgnition } from '../../../src/boot/ignition/diff-ignition.ts';
import { fileText } from '../../../src/boot/ignition/file-contents.ts';
import type { Ignition } from '../../../src/boot/ignition/ignition.ts';
import { loadIgnition } from '../../../src/boot/ignition/load-ignition.ts';
import { bipIgnition, FIXTURES } from '../../support/bip-ignition.ts';
import { DAY_MS, EXTENDED_AT, installerFiles, KEY_KINDS, MADE_AT } from '../../support/made-pki.ts';
import { haveTools } from '../../support/tools.ts';
import { opensslVerify, pemsOf, TLS, undatedHex } from './redated-config.ts';

const OPENSSL = haveTools('openssl');
const AUTH = '/opt/openshift/auth/';
const LIFE = { validForMs: 30 * DAY_MS, now: EXTENDED_AT };
const SERVERS: Readonly<Record<string, RegExp>> = {
  'kube-apiserver-lb-server.crt': /^DNS:api\./,
  'kube-apiserver-internal-lb-server.crt': /^DNS:api-int\./,
  'kube-apiserver-localhost-server.crt': /^DNS:localhost$/,
  'kube-apiserver-service-network-server.crt': /^DNS:kubernetes\.default\.svc$/,
};
/** What has one day in what the installer makes. */
const ONE_DAY = [
  'aggregator-ca',
  'aggregator-client',
  'aggregator-signer',
  'apiserver-proxy',
  'kube-apiserver-internal-lb-server',
  'kube-apiserver-lb-server',
  'kube-apiserver-localhost-server',
  'kube-apiserver-service-network-server',
  'kubelet-signer',
];

const SAMPLES: [string, boolean, () => Ignition | Promise<Ignition>][] = [
  ...['bip-4.13', 'bip-4.18', 'bip-4.21'].map((name): (typeof SAMPLES)[number] => [
    `${name}${FIXTURES === undefined ? ' (skipped: needs EDGEFAB_FIXTURES)' : ''}`,
    FIXTURES !== undefined,
    () => loadIgnition(join(FIXTURES ?? '', 'ignition', `${name}.ign`)),
  ]),
  ...KEY_KINDS.map((kind): (typeof SAMPLES)[number] => [
    `made-up config with ${kind} keys`,
    true,
    () => bipIgnition({ extraFiles: installerFiles({ signers: kind }) }),
  ]),
  [
    'made-up config with ECDSA signers and RSA leaves',
    true,
    () => bipIgnition({ extraFiles: installerFiles({ signers: 'P-256 SEC1', leaves: 'RSA PKCS#8' }) }),
  ],
];

function useOf(path: string, leaf: string): string[] {
  const wanted = SERVERS[path.slice(TLS.length)];
  if (wanted === undefined) return path.startsWith(`${TLS}machine-config`) ? [] : ['-purpose', 'sslclient'];
  const names = new X509Certificate(leaf).subjectAltName?.split(', ') ?? [];
  const name = names.find((each) => wanted.test(each))?.slice('DNS:'.length) ?? 'none';
  return ['-purpose', 'sslserver', '-verify_hostname', name];
}

describe.each(SAMPLES)('%s', (_name, there, load) => {
  test.skipIf(!there || !OPENSSL)(
    `openssl agrees with every leaf before, inside and after both windows${OPENSSL ? '' : ' (skipped: no openssl)'}`,
    async () => {
      const before = await load();
      const { ignition: after, changes } = extendCertificates(before, LIFE);
      const verify = opensslVerify();
      let checked = 0;
      for (const [path, bundles] of Object.entries(CHECKED_AGAINST)) {
        const at = (ignition: Ignition): string =>
          pemsOf(ignition, path).find((pem) => !new X509Certificate(pem).ca) ?? '';
        const [old, leaf] = [at(before), at(after)];
        if (old === '') continue;
        const use = useOf(path, leaf);
        const change = changes.find(({ paths }) => paths.includes(path));
        expect(change !== undefined, path).toBe(ONE_DAY.some((name) => path === `${TLS}${name}.crt`));
        for (const bundle of bundles) {
          const [oldCas, cas] = [pemsOf(before, bundle), pemsOf(after, bundle)];
          if (cas.length === 0) continue;
          const judge = (time: Date): [boolean, boolean] => [
            verify(old, oldCas, time, use),
            verify(leaf, cas, time, use),
          ];
          checked += 1;
          const lasting = change === undefined;
          expect(judge(new Date(MADE_AT.getTime() - 7_200_000)), `${path}, before both`).toEqual([
            false,
            false,
          ]);
          expect(judge(new Date(MADE_AT.getTime() + DAY_MS / 2)), `${path}, in the old`).toEqual([
            true,
            lasting,
          ]);
          expect(judge(new Date(EXTENDED_AT.getTime() - 2 * DAY_MS)), `${path}, between`).toEqual([
            lasting,
            lasting,
          ]);
          expect(judge(EXTENDED_AT), `${path}, now`).toEqual([lasting, true]);
          expect(judge(new Date(EXTENDED_AT.getTime() + 29 * DAY_MS)), `${path}, late`).toEqual([
            lasting,
            true,
          ]);
          expect(judge(new Date(EXTENDED_AT.getTime() + 31 * DAY_MS)), `${path}, after`).toEqual([
            lasting,
            lasting,
          ]);
        }
      }
      expect(checked).toBeGreaterThan(12);
    },
  );

  test.skipIf(!there || !OPENSSL)(
    'only validity, serial number and signature differ, byte for byte',
    async () => {
      const before = await load();
      const { ignition: after, changes } = extendCertificates(before, LIFE);
      const touched = new Set(changes.flatMap(({ paths }) => paths));
      expect(after.files.map(({ path }) => path)).toEqual(before.files.map(({ path }) => path));
      for (const { path } of before.files) {
        const [old, now] = [fileText(before, path), fileText(after, path)];
        expect(old !== now, path).toBe(touched.has(path));
        if (!path.startsWith(TLS) || old === now) continue;
        const [oldPems, pems] = [pemsOf(before, path), pemsOf(after, path)];
        expect(pems.map(undatedHex)).toEqual(oldPems.map(undatedHex));
        const masked = (text = ''): string => text.replace(/(-----BEGIN CERTIFICATE-----)[^-]+/g, '$1');
        expect(masked(now)).toBe(masked(old));
      }
      const listed = diffIgnition(before, after).map(({ kind, what, path }) => `${kind} ${what} ${path}`);
      expect(listed.sort()).toEqual([...touched].map((path) => `changed file ${path}`).sort());
      // The text between the data URLs is the very text that was read.
      const bare = ({ text }: Ignition): string => text.replace(/base64,[A-Za-z0-9+/=]*/g, '');
      expect(bare(after) === bare(before)).toBe(true);
    },
  );

  test.skipIf(!there)('what is extended lasts exactly as long as asked, from an hour before', async () => {
    const { ignition, changes, short } = extendCertificates(await load(), LIFE);
    const ends = EXTENDED_AT.getTime() + LIFE.validForMs;
    expect(short).toEqual([]);
    for (const { after } of changes) {
      expect(after.notAfter.getTime()).toBe(ends);
      expect(after.notBefore.getTime()).toBe(EXTENDED_AT.getTime() - 3_600_000);
    }
    expect(inventory(ignition).horizon?.notAfter.getTime()).toBe(ends);
    // Again: nothing to do, and not a byte changes.
    expect(extendCertificates(ignition, LIFE)).toMatchObject({
      ignition: { text: ignition.text },
      changes: [],
    });
  });

  test.skipIf(!there)('the same time gives the same bytes, with what was signed before', async () => {
    const before = await load();
    const first = extendCertificates(before, LIFE).ignition;
    expect(extendCertificates(before, { ...LIFE, earlier: first }).ignition.text === first.text).toBe(true);
    const serials = (ignition: Ignition): string[] =>
      ONE_DAY.flatMap((name) =>
        pemsOf(ignition, `${TLS}${name}.crt`).map((pem) => new X509Certificate(pem).serialNumber),
      );
    expect(serials(extendCertificates(before, LIFE).ignition)).toEqual(serials(first));
    expect(serials(extendCertificates(before, { ...LIFE, validForMs: DAY_MS * 31 }).ignition)).not.toEqual(
      serials(first),
    );
  });
});

describe.each(KEY_KINDS)('a real TLS server and client with %s keys', (kind) => {
  test('talk with the re-dated certificates, and did not before', async () => {
    const madeAt = new Date(Date.now() - 20 * DAY_MS);
    const before = bipIgnition({ extraFiles: installerFiles({ signers: kind, madeAt }) });
    const { ignition: after } = extendCertificates(before, { validForMs: 30 * DAY_MS, now: new Date() });
    expect(await handshake(before)).toBe('CERT_HAS_EXPIRED');
    expect(await handshake(after)).toBe('hello system:admin');
  });
});

/** The serving certificate of kube-apiserver, asked by the administrator's kubeconfig. */
async function handshake(ignition: Ignition): Promise<string> {
  const text = (path: string): string => fileText(ignition, path) ?? '';
  const kubeconfig = text(`${AUTH}kubeconfig`);
  const data = (key: string): Buffer =>
    Buffer.from(new RegExp(`${key}: (\\S+)`).exec(kubeconfig)?.[1] ?? '', 'base64');
  const server = createServer(
    {
      cert: text(`${TLS}kube-apiserver-internal-lb-server.crt`),
      key: text(`${TLS}kube-apiserver-internal-lb-server.key`),
      ca: text(`${TLS}kube-apiserver-complete-client-ca-bundle.crt`),
      requestCert: true,
      rejectUnauthorized: true,
    },
    (socket) => {
      socket.on('error', () => undefined);
      socket.end(`hello ${socket.getPeerCertificate().subject.CN}`);
    },
  );
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  const port = typeof address === 'object' && address !== null ? address.port : 0;
  try {
    return await new Promise((resolve) => {
      let said = '';
      const client = connect({
        host: '127.0.0.1',
        port,
        servername: 'api-int.bip.example.com',
        ca: data('certificate-authority-data'),
        cert: data('client-certificate-data'),
        key: data('client-key-data'),
      });
      client.on('data', (bytes) => {
        said += String(bytes);
      });
      client.on('error', (error: Error & { code?: string }) => resolve(error.code ?? error.message));
      client.on('close', () => resolve(said));
    });
  } finally {
    server.close();
  }
}
