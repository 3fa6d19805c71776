import { execFileSync } from 'node:child_process';
import { generateKeyPairSync, X509Certificate } from 'node:crypto';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { beforeAll, describe, expect, test } from 'vitest';
import { extendCertificates } from '../../../src/boot/certs/extend-certificates.ts';
import { parseIgnitionText } from '../../../src/boot/ignition/parse-ignition.ts';
import type { EdgefabError } from '../../../src/errors.ts';
import type { DemoFile } from '../../../src/factory/demo/demo-ignition-options.ts';
import { bipIgnition } from '../../support/bip-ignition.ts';
import {
  DAY_MS,
  EXTENDED_AT,
  installerFiles,
  keyPem,
  MADE_AT,
  type MadeOptions,
  madeCertificate,
  madeKey,
  ODD_EXTENSION,
} from '../../support/made-pki.ts';
import { haveTools } from '../../support/tools.ts';
import { pemsOf, TLS } from './redated-config.ts';

const KIND = 'P-256 SEC1';
const LIFE = { validForMs: 30 * DAY_MS, now: EXTENDED_AT };
const file = (name: string, text: string): DemoFile => ({ path: `${TLS}${name}`, mode: 0o600, text });
const config = (...extraFiles: DemoFile[]) => bipIgnition({ extraFiles });
const made = (commonName: string, options: Partial<MadeOptions> = {}) =>
  madeCertificate({ organization: 'test', commonName, key: madeKey(KIND, 0), days: 1, ...options });

function refusal(run: () => unknown): { code: string; message: string } {
  try {
    run();
  } catch (error) {
    const { code, message } = error as EdgefabError;
    return { code, message };
  }
  return { code: 'none', message: '' };
}

describe('a life that is refused', () => {
  test.each([
    ['none', 0],
    ['one in the past', -DAY_MS],
    ['more than ten years', 3650 * DAY_MS + 1],
    ['no number', Number.NaN],
    ['for ever', Number.POSITIVE_INFINITY],
  ])('%s', (_name, validForMs) => {
    const { code, message } = refusal(() => extendCertificates(config(), { ...LIFE, validForMs }));
    expect(code).toBe('CERTIFICATE_LIFE_INVALID');
    expect(message).toContain('at most 3650 d');
  });
});

describe('warnings', () => {
  const files = installerFiles({ signers: KIND });
  test.each([
    ['30 days', 30, false],
    ['31 days', 31, true],
    ['a year', 365, true],
  ])('%s', (_name, days, long) => {
    const { warnings } = extendCertificates(config(...files), { ...LIFE, validForMs: days * DAY_MS });
    expect(warnings.some((each) => each.includes('is long'))).toBe(long);
    expect(warnings[0]).toContain('can become cluster administrator');
    expect(warnings[0]).toContain('CN=kubelet-signer');
  });

  test('none where nothing changes', () => {
    expect(extendCertificates(config(), LIFE)).toMatchObject({ changes: [], warnings: [] });
  });
});

describe('what does not belong together', () => {
  const files = installerFiles({ signers: KIND });
  const replaced = (name: string, text: string): DemoFile[] =>
    files.map((each) => (each.path === `${TLS}${name}` ? { ...each, text } : each));
  const of = (name: string): string => files.find(({ path }) => path === `${TLS}${name}`)?.text ?? '';

  test.each([
    [
      'the key of another',
      replaced('kubelet-signer.key', of('aggregator-ca.key')),
      'CERTIFICATES_INVALID',
      'kubelet-signer.key: it is not the key of the certificate beside it',
    ],
    [
      'a bundle without the signer',
      replaced('kube-apiserver-complete-client-ca-bundle.crt', of('aggregator-ca.crt')),
      'CERTIFICATES_INVALID',
      'does not verify against /opt/openshift/tls/kube-apiserver-complete-client-ca-bundle.crt',
    ],
    [
      'a Secret with a stranger key',
      [
        file(
          'pair.yaml',
          `tls.crt: ${Buffer.from(of('aggregator-ca.crt')).toString('base64')}\ntls.key: ${Buffer.from(of('kubelet-signer.key')).toString('base64')}\n`,
        ),
      ],
      'CERTIFICATES_INVALID',
      'pair.yaml: its private key belongs to none of its certificates',
    ],
    [
      'a certificate that is cut off',
      replaced('kubelet-signer.crt', of('kubelet-signer.crt').slice(0, 400)),
      'IGNITION_INVALID',
      'certificate 0 of /opt/openshift/tls/kubelet-signer.crt cannot be read: its line "-----END CERTIFICATE-----" is missing',
    ],
    [
      'a certificate with a strange character',
      replaced('kubelet-signer.crt', of('kubelet-signer.crt').replace('MII', 'M*I')),
      'IGNITION_INVALID',
      'its character 2 is no base64',
    ],
    [
      'a certificate with bytes behind it',
      [file('x.crt', made('x').pem.replace(/\n-----END/, 'AAAA\n-----END'))],
      'IGNITION_INVALID',
      'certificate 0 of /opt/openshift/tls/x.crt cannot be read',
    ],
  ])('%s', (_name, extraFiles, code, message) => {
    const found = refusal(() => extendCertificates(config(...extraFiles), LIFE));
    expect(found.code).toBe(code);
    expect(found.message).toContain(message);
  });
});

describe('what cannot be signed is named, and refused unless a shorter life will do', () => {
  const key = madeKey(KIND, 0);
  const ca = made('a-ca', { key, ca: true });
  const leaf = made('a-leaf', { issuer: ca });
  const caFiles = [file('ca.crt', ca.pem), file('ca.key', keyPem(KIND, key))];
  const odd = made('odd', { issuer: ca, extensions: [ODD_EXTENSION] });
  const locked = generateKeyPairSync('ec', {
    namedCurve: 'P-256',
    privateKeyEncoding: { type: 'pkcs8', format: 'pem', cipher: 'aes-256-cbc', passphrase: 'x' },
    publicKeyEncoding: { type: 'spki', format: 'pem' },
  });
  const old = made('old-ca', { ca: true, days: 10, from: new Date(MADE_AT.getTime() - DAY_MS) });

  test.each([
    ['the issuer is not there', [file('leaf.crt', leaf.pem)], 'its issuer O=test, CN=a-ca is not here'],
    [
      "the issuer's key is not there",
      [file('ca.crt', ca.pem), file('leaf.crt', leaf.pem)],
      'the key of its issuer O=test, CN=a-ca is not here',
    ],
    [
      'a critical extension nobody knows',
      [...caFiles, file('odd.crt', odd.pem)],
      'it has the critical extension 2.999.1, whose meaning is not known',
    ],
    [
      'an encrypted key is no key',
      [file('ca.crt', ca.pem), file('other.key', locked.privateKey), file('leaf.crt', leaf.pem)],
      'the key of its issuer O=test, CN=a-ca is not here',
    ],
    [
      'the issuer ends too early and its own key is not there',
      [file('bundle.crt', old.pem), file('leaf.crt', made('l', { issuer: old }).pem)],
      'it signed itself, and its key is not here',
    ],
  ])('%s', (_name, extraFiles, reason) => {
    const ignition = config(...extraFiles);
    const { code, message } = refusal(() => extendCertificates(ignition, LIFE));
    expect(code).toBe('CERTIFICATE_HORIZON');
    expect(message).toContain(reason);
    const { short } = extendCertificates(ignition, { ...LIFE, allowShorter: true });
    expect(short.map((each) => each.reason)).toContain(reason);
  });

  test('a leaf ends with its issuer where that cannot last longer', () => {
    const root = made('root', { key: madeKey(KIND, 1), ca: true, days: 40 });
    // The root's key is not there, so the CA below it stays; what it issued ends with it.
    const middle = made('middle', { key, ca: true, days: 35, issuer: root });
    const under = made('under', { key: madeKey(KIND, 2), days: 1, issuer: middle });
    const ignition = config(
      file('root.crt', root.pem),
      file('middle.crt', middle.pem),
      file('middle.key', keyPem(KIND, key)),
      file('under.crt', under.pem),
    );
    const extended = extendCertificates(ignition, { ...LIFE, allowShorter: true });
    expect(extended.changes.map(({ subject }) => subject)).toEqual(['O=test, CN=under']);
    expect(extended.changes[0]?.after.notAfter).toEqual(new Date(MADE_AT.getTime() + 35 * DAY_MS));
    expect(extended.short.map(({ subject }) => subject).sort()).toEqual(
      ['middle', 'root', 'under'].map((name) => `O=test, CN=${name}`),
    );
  });

  test('a CA begins no later than what it issued and what stays', () => {
    // The issuer ends two seconds before its leaf, as installers make them; the horizon falls between.
    const horizon = EXTENDED_AT.getTime() + LIFE.validForMs;
    const days = (ms: number): number => (ms - MADE_AT.getTime()) / DAY_MS;
    const short = made('short', { key, ca: true, days: days(horizon - 1000) });
    const long = made('long', { key: madeKey(KIND, 3), days: days(horizon + 1000), issuer: short });
    const { changes } = extendCertificates(
      config(file('ca.crt', short.pem), file('ca.key', keyPem(KIND, key)), file('leaf.crt', long.pem)),
      LIFE,
    );
    expect(changes.map(({ subject, after }) => [subject, after.notBefore])).toEqual([
      ['O=test, CN=short', MADE_AT],
    ]);
  });

  test('a file with a hash of its content is refused: the machine would not take another', () => {
    const { text } = config(...caFiles);
    const at = text.indexOf('ca.crt');
    const hashed = `${text.slice(0, at)}${text.slice(at).replace('"source"', '"verification":{"hash":"sha512-00"},"source"')}`;
    const found = refusal(() => extendCertificates(parseIgnitionText(hashed, 'hashed.ign'), LIFE));
    expect(found).toMatchObject({ code: 'CERTIFICATES_INVALID' });
    expect(found.message).toContain(
      '/opt/openshift/tls/ca.crt holds a certificate to be changed, and verification.hash',
    );
  });

  test('trust of the config itself and certificates in units are extended too', () => {
    const trust = `data:;base64,${Buffer.from(ca.pem).toString('base64')}`;
    const { text } = config(...caFiles);
    const ignition = parseIgnitionText(
      text.replace(
        '{"version":"3.2.0"}',
        `{"version":"3.2.0","security":{"tls":{"certificateAuthorities":[{"source":"${trust}"}]}}}`,
      ),
      'trust.ign',
    );
    expect(extendCertificates(ignition, LIFE).changes[0]?.paths).toEqual([
      `${TLS}ca.crt`,
      'ignition.security.tls.certificateAuthorities[0].source',
    ]);
  });

  test('a CA that only lets others be trusted is left alone, and said', () => {
    const company = made('company root', { ca: true });
    const ignition = config(...caFiles, file('user-ca-bundle.crt', company.pem));
    const { changes, warnings, ignition: after } = extendCertificates(ignition, LIFE);
    expect(changes.map(({ subject }) => subject)).toEqual(['O=test, CN=a-ca']);
    expect(warnings.some((each) => each.includes('CN=company root') && each.includes('stays as it is'))).toBe(
      true,
    );
    expect(pemsOf(after, `${TLS}user-ca-bundle.crt`)).toEqual(pemsOf(ignition, `${TLS}user-ca-bundle.crt`));
  });
});

const OPENSSL = haveTools('openssl');
describe.skipIf(!OPENSSL)(
  `certificates of openssl's own making${OPENSSL ? '' : ' (skipped: no openssl)'}`,
  () => {
    let folder = '';
    beforeAll(() => {
      folder = mkdtempSync(join(tmpdir(), 'edgefab-openssl-'));
      return () => rmSync(folder, { recursive: true });
    });
    const openssl = (...args: string[]): void => {
      execFileSync('openssl', args, { cwd: folder, stdio: 'ignore' });
    };

    test.each([
      ['RSA 4096 with SHA-512', ['-newkey', 'rsa:4096', '-sha512'], true],
      ['ECDSA P-384 with SHA-384', ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-384', '-sha384'], true],
      ['Ed25519', ['-newkey', 'ed25519'], true],
      ['RSA with SHA-1', ['-newkey', 'rsa:2048', '-sha1'], false],
      ['RSA-PSS', ['-newkey', 'rsa:2048', '-sha256', '-sigopt', 'rsa_padding_mode:pss'], false],
      [
        'one that names its own serial number',
        ['-newkey', 'rsa:2048', '-addext', 'authorityKeyIdentifier=keyid:always,issuer:always'],
        false,
      ],
      ['version 1 without extensions', ['-newkey', 'rsa:2048', '-sha256', '-config', '/dev/null'], true],
    ])('%s', (_name, how, works) => {
      openssl(
        'req',
        '-x509',
        '-nodes',
        ...how,
        '-days',
        '1',
        '-subj',
        '/CN=made by openssl',
        '-keyout',
        'k.pem',
        '-out',
        'c.pem',
      );
      const [pem, key] = ['c.pem', 'k.pem'].map((name) => readFileSync(join(folder, name), 'utf8'));
      const ignition = config(file('self.crt', pem ?? ''), file('self.key', key ?? ''));
      const run = () => extendCertificates(ignition, { validForMs: 90 * DAY_MS, now: new Date() });
      if (!works) {
        expect(refusal(run).code).toBe('CERTIFICATE_HORIZON');
        return;
      }
      const [after] = pemsOf(run().ignition, `${TLS}self.crt`);
      const certificate = new X509Certificate(after ?? '');
      expect(certificate.verify(certificate.publicKey)).toBe(true);
      expect(certificate.validToDate.getTime() - Date.now()).toBeGreaterThan(89 * DAY_MS);
      expect(certificate.publicKey.equals(new X509Certificate(pem ?? '').publicKey)).toBe(true);
    });
  },
);
