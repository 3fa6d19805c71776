import { execFileSync, spawnSync } from 'node:child_process';
import { createHash, randomBytes, X509Certificate } from 'node:crypto';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { refusedNames } from '../../../src/boot/certs/name-constraints.ts';
import {
  issueRegistryLeaf,
  LOOPBACK,
  makeRegistryCa,
  registryValidity,
} from '../../../src/boot/certs/registry-ca.ts';
import { BUILD_TIME, registryCa } from '../../support/registry-ca.ts';
import { tempFolder } from '../../support/temp-folder.ts';
import { haveTools } from '../../support/tools.ts';

const VALIDITY = registryValidity(BUILD_TIME);

/** Chance that is none: the same bytes for the same seed. */
function seeded(seed: string) {
  let count = 0;
  return {
    randomBytes: (size: number) =>
      createHash('shake256', { outputLength: size }).update(`${seed}${count++}`).digest(),
  };
}

test('lasts from years before the build to long after the machine', () => {
  expect(VALIDITY).toEqual({
    notBefore: new Date('2006-01-01T00:00:00Z'),
    notAfter: new Date('2056-12-31T23:59:59Z'),
  });
  expect(registryValidity(new Date('2026-01-01T00:00:00Z'))).toEqual(VALIDITY);
});

describe('the CA', () => {
  const ca = registryCa();

  test('is what node:crypto says a CA is, with its own key', () => {
    const { certificate } = ca;
    expect(certificate.ca).toBe(true);
    expect(certificate.subject).toBe('O=edgefab\nCN=edgefab registry CA');
    expect(certificate.verify(certificate.publicKey)).toBe(true);
    expect(new X509Certificate(ca.certPem).fingerprint256).toBe(certificate.fingerprint256);
    expect(certificate.validFromDate).toEqual(VALIDITY.notBefore);
    expect(certificate.validToDate).toEqual(VALIDITY.notAfter);
    expect(ca.keyPem).toMatch(/^-----BEGIN PRIVATE KEY-----\n/);
  });
  test('has the same key, serial and text from the same chance, and others from another', () => {
    const make = (seed: string) => makeRegistryCa(VALIDITY, seeded(seed));
    const [one, again, other] = [make('a'), make('a'), make('b')];
    expect(again.keyPem).toBe(one.keyPem);
    expect(again.certificate.serialNumber).toBe(one.certificate.serialNumber);
    expect(other.keyPem).not.toBe(one.keyPem);
    expect(other.certificate.serialNumber).not.toBe(one.certificate.serialNumber);
    expect(one.certificate.serialNumber).toMatch(/^[4-7][0-9A-F]{39}$/);
  });
  test.each([
    ['a wildcard', { names: ['*.example.com'] }, /name: got "\*\.example\.com"/],
    ['a name in upper case', { names: ['Api'] }, /name: got "Api"/],
    ['an address as a name', { names: ['10.0.0.1'] }, /name: got "10\.0\.0\.1"/],
    ['a name as an address', { addresses: ['localhost'] }, /address: got "localhost"/],
    ['an end before the start', { notAfter: new Date(0) }, /validity/],
  ])('is not made for %s', (_name, options, message) => {
    expect(() => registryCa(options)).toThrow(
      expect.objectContaining({ code: 'USAGE_INVALID', message: expect.stringMatching(message) }),
    );
  });
});

describe('what its name constraints refuse', () => {
  const ca = registryCa({ names: ['api-int.bip.example.com'], addresses: ['192.168.86.45'] }).certificate;
  test.each([
    ['loopback', LOOPBACK, []],
    [
      'a name it allows, and below it',
      { names: ['api-int.bip.example.com', 'a.localhost'], addresses: [] },
      [],
    ],
    [
      'a neighbour of a name',
      { names: ['xapi-int.bip.example.com'], addresses: [] },
      ['xapi-int.bip.example.com'],
    ],
    ['any other name', { names: ['quay.io'], addresses: [] }, ['quay.io']],
    ['another loopback address', { names: [], addresses: ['127.0.0.2'] }, ['127.0.0.2']],
    [
      'another address',
      { names: [], addresses: ['192.168.86.45', '192.168.86.46', '::2'] },
      ['192.168.86.46', '::2'],
    ],
  ])('%s', (_name, wanted, refused) => expect(refusedNames(ca, wanted)).toEqual(refused));

  test('is not issued', () => {
    const names = { names: ['quay.io'], addresses: [] };
    expect(() => issueRegistryLeaf(registryCa(), names, { randomBytes })).toThrow(
      expect.objectContaining({ code: 'CERTIFICATES_INVALID', message: expect.stringContaining('quay.io') }),
    );
  });
});

describe.skipIf(!haveTools('openssl'))('openssl as judge (needs openssl)', () => {
  const ca = registryCa({ names: ['api-int.bip.example.com'] });
  const names = { names: ['api-int.bip.example.com'], addresses: [] };
  const leaf = issueRegistryLeaf(ca, names, { randomBytes });

  function openssl(args: readonly string[], files: Record<string, string>): string {
    const folder = tempFolder();
    for (const [name, text] of Object.entries(files)) writeFileSync(join(folder, name), text);
    const { status, stdout, stderr } = spawnSync('openssl', args, { cwd: folder, encoding: 'utf8' });
    return `${status} ${stdout}${stderr}`;
  }

  const verify = (leafPem: string, ...more: string[]): string =>
    openssl(['verify', '-x509_strict', '-purpose', 'sslserver', ...more, '-CAfile', 'ca.crt', 'leaf.crt'], {
      'ca.crt': ca.certPem,
      'leaf.crt': leafPem,
    });

  test('the chain holds strictly, now and at both ends of its time', () => {
    for (const name of ['localhost', 'api-int.bip.example.com'])
      expect(verify(leaf.certPem, '-verify_hostname', name)).toBe('0 leaf.crt: OK\n');
    for (const address of LOOPBACK.addresses)
      expect(verify(leaf.certPem, '-verify_ip', address)).toBe('0 leaf.crt: OK\n');
    for (const time of [
      '2006-01-01T00:00:00Z',
      '2049-12-31T23:59:59Z',
      '2050-01-01T00:00:00Z',
      '2056-12-31T23:59:58Z',
    ])
      expect(verify(leaf.certPem, '-attime', String(Date.parse(time) / 1000))).toBe('0 leaf.crt: OK\n');
    expect(verify(leaf.certPem, '-verify_hostname', 'quay.io')).toMatch(/^2 .*hostname mismatch/s);
  });

  test('a certificate for another site, signed by this CA all the same, is refused', () => {
    const folder = tempFolder();
    const run = (...args: string[]) => execFileSync('openssl', args, { cwd: folder, stdio: 'ignore' });
    writeFileSync(join(folder, 'ca.crt'), ca.certPem);
    writeFileSync(join(folder, 'ca.key'), ca.keyPem);
    writeFileSync(join(folder, 'ext'), 'subjectAltName=DNS:quay.io\nauthorityKeyIdentifier=keyid\n');
    run('req', '-newkey', 'rsa:2048', '-nodes', '-keyout', 'k', '-out', 'csr', '-subj', '/CN=x');
    run(
      'x509',
      '-req',
      '-in',
      'csr',
      '-CA',
      'ca.crt',
      '-CAkey',
      'ca.key',
      '-set_serial',
      '7',
      '-extfile',
      'ext',
      '-out',
      'leaf.crt',
    );
    const { status, stderr } = spawnSync('openssl', ['verify', '-CAfile', 'ca.crt', 'leaf.crt'], {
      cwd: folder,
      encoding: 'utf8',
    });
    expect([status, stderr]).toEqual([2, expect.stringContaining('permitted subtree violation')]);
  });

  test('the text of the CA', () => {
    const text = openssl(['x509', '-noout', '-text', '-in', 'ca.crt'], { 'ca.crt': ca.certPem });
    expect(text.replace(/^ +/gm, '')).toContain(
      [
        'X509v3 extensions:',
        'X509v3 Basic Constraints: critical',
        'CA:TRUE, pathlen:0',
        'X509v3 Key Usage: critical',
        'Certificate Sign, CRL Sign',
        'X509v3 Name Constraints: critical',
        'Permitted:',
        'DNS:localhost',
        'DNS:api-int.bip.example.com',
        'IP:127.0.0.1/255.255.255.255',
        'IP:0:0:0:0:0:0:0:1/FFFF:FFFF:FFFF:FFFF:FFFF:FFFF:FFFF:FFFF',
        'X509v3 Subject Key Identifier: ',
      ].join('\n'),
    );
    expect(text).toContain('Signature Algorithm: ecdsa-with-SHA256');
    expect(text).toContain('NIST CURVE: P-256');
  });
  test('the text of the leaf', () => {
    const text = openssl(['x509', '-noout', '-text', '-in', 'leaf.crt'], { 'leaf.crt': leaf.certPem });
    expect(text.replace(/^ +/gm, '')).toContain(
      [
        'X509v3 extensions:',
        'X509v3 Basic Constraints: critical',
        'CA:FALSE',
        'X509v3 Key Usage: critical',
        'Digital Signature',
        'X509v3 Extended Key Usage: ',
        'TLS Web Server Authentication',
        'X509v3 Subject Alternative Name: ',
        'DNS:localhost, DNS:api-int.bip.example.com, IP Address:127.0.0.1, IP Address:0:0:0:0:0:0:0:1',
        'X509v3 Subject Key Identifier: ',
      ].join('\n'),
    );
  });
});
