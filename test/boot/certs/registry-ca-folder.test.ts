import { execFileSync } from 'node:child_process';
import { chmodSync, mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { issueRegistryLeaf } from '../../../src/boot/certs/registry-ca.ts';
import { loadRegistryCa, writeRegistryCa } from '../../../src/boot/certs/registry-ca-folder.ts';
import { BUILD_TIME, loopbackLeaf, registryCa } from '../../support/registry-ca.ts';
import { tempFolder } from '../../support/temp-folder.ts';
import { haveTools } from '../../support/tools.ts';

const AT_BUILD = { now: () => BUILD_TIME };
const at = (time: string) => ({ now: () => new Date(time) });

function folderWith(files: Record<string, string>): string {
  const folder = tempFolder();
  for (const [name, text] of Object.entries(files)) writeFileSync(join(folder, name), text);
  return folder;
}

describe('a registry CA in a folder', () => {
  test('is written once, the key for its owner alone, and read back', async () => {
    const folder = join(tempFolder(), 'new', 'ca');
    expect(await loadRegistryCa(folder, AT_BUILD)).toBeUndefined();
    const ca = registryCa();
    await writeRegistryCa(folder, ca);
    const modes = readdirSync(folder).map((name) => [name, statSync(join(folder, name)).mode & 0o7777]);
    expect(modes).toEqual([
      ['ca.crt', 0o644],
      ['ca.key', 0o600],
    ]);
    const read = await loadRegistryCa(folder, AT_BUILD);
    expect([read?.certPem, read?.keyPem]).toEqual([ca.certPem, ca.keyPem]);
    await expect(writeRegistryCa(folder, registryCa())).rejects.toMatchObject({ code: 'TARGET_EXISTS' });
    expect(readFileSync(join(folder, 'ca.key'), 'utf8')).toBe(ca.keyPem);
  });

  test('its modes do not depend on the umask', async () => {
    const folder = tempFolder();
    const before = process.umask(0o077);
    try {
      await writeRegistryCa(folder, registryCa());
    } finally {
      process.umask(before);
    }
    expect(statSync(join(folder, 'ca.crt')).mode & 0o777).toBe(0o644);
  });

  const mine = registryCa();
  const other = registryCa();
  const leaf = loopbackLeaf(mine);
  const rows: [string, Record<string, string>, RegExp][] = [
    ['a certificate without its key', { 'ca.crt': mine.certPem }, /has ca\.crt but no ca\.key/],
    ['a key without its certificate', { 'ca.key': mine.keyPem }, /has ca\.key but no ca\.crt/],
    [
      "another one's key",
      { 'ca.crt': mine.certPem, 'ca.key': other.keyPem },
      /its key is not the one in ca\.key/,
    ],
    ['a leaf', { 'ca.crt': leaf.certificate, 'ca.key': leaf.key }, /it is no CA/],
    ['no certificate', { 'ca.crt': 'hello', 'ca.key': mine.keyPem }, /want one certificate as PEM/],
    [
      'two certificates',
      { 'ca.crt': mine.certPem + other.certPem, 'ca.key': mine.keyPem },
      /want one certificate/,
    ],
    [
      'a certificate of nonsense',
      { 'ca.crt': '-----BEGIN CERTIFICATE-----\naGk=\n-----END CERTIFICATE-----\n', 'ca.key': mine.keyPem },
      /cannot be read/,
    ],
    [
      'no key',
      { 'ca.crt': mine.certPem, 'ca.key': 'HUSH' },
      /want a private key as PEM, without a passphrase/,
    ],
    ['a huge file', { 'ca.crt': 'x'.repeat(300_000), 'ca.key': mine.keyPem }, /more than 262144 bytes/],
  ];
  test.each(rows)('is refused: %s', async (_name, files, message) => {
    const loading = loadRegistryCa(folderWith(files), AT_BUILD);
    await expect(loading).rejects.toMatchObject({
      code: 'CERTIFICATES_INVALID',
      message: expect.stringMatching(message),
    });
    await expect(loading).rejects.toThrow(/^(?![\s\S]*HUSH)/);
  });

  test.each([
    ['2057-01-01T00:00:00Z', /it ended on 2056-12-31T23:59:59\.000Z/],
    ['2005-12-31T23:59:59Z', /it begins only on 2006-01-01T00:00:00\.000Z/],
  ])('is refused outside its time, at %s', async (time, message) => {
    const folder = folderWith({ 'ca.crt': mine.certPem, 'ca.key': mine.keyPem });
    await expect(loadRegistryCa(folder, at(time))).rejects.toMatchObject({
      code: 'CERTIFICATES_INVALID',
      message: expect.stringMatching(message),
    });
  });

  test('is told apart from a folder that cannot be read', async () => {
    const folder = tempFolder();
    mkdirSync(join(folder, 'ca.crt'));
    await expect(loadRegistryCa(folder, AT_BUILD)).rejects.toMatchObject({ code: 'FILE_UNREADABLE' });
  });
});

describe.skipIf(!haveTools('openssl'))('a CA made elsewhere (needs openssl)', () => {
  function made(key: readonly string[], ...extensions: string[]): string {
    const folder = tempFolder();
    const more = extensions.flatMap((each) => ['-addext', each]);
    const files = ['-keyout', 'ca.key', '-out', 'ca.crt'];
    const head = ['req', '-x509', '-nodes', '-days', '3650', '-subj', '/CN=ours'];
    execFileSync('openssl', [...head, ...key, ...more, ...files], { cwd: folder, stdio: 'ignore' });
    chmodSync(join(folder, 'ca.key'), 0o600);
    return folder;
  }
  const RSA = ['-newkey', 'rsa:2048'];
  const P384 = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:secp384r1'];
  const now = { now: () => new Date() };

  test.each([
    ['RSA', RSA, 'sha256WithRSAEncryption'],
    ['P-384', P384, 'ecdsa-with-SHA256'],
  ])('signs leaves: %s', async (_name, key, algorithm) => {
    const folder = made(
      key,
      'keyUsage=critical,keyCertSign',
      'nameConstraints=critical,permitted;DNS:localhost,permitted;IP:127.0.0.0/255.0.0.0,permitted;IP:::1/FFFF:FFFF:FFFF:FFFF:FFFF:FFFF:FFFF:FFFF',
    );
    const ca = await loadRegistryCa(folder, now);
    if (ca === undefined) throw new Error('no CA');
    const leaf = issueRegistryLeaf(
      ca,
      { names: [], addresses: ['127.0.0.2'] },
      { randomBytes: (n) => Buffer.alloc(n, 9) },
    );
    writeFileSync(join(folder, 'leaf.crt'), leaf.certPem);
    const run = (...args: string[]) => execFileSync('openssl', args, { cwd: folder, encoding: 'utf8' });
    expect(run('verify', '-x509_strict', '-CAfile', 'ca.crt', 'leaf.crt')).toBe('leaf.crt: OK\n');
    expect(run('x509', '-noout', '-text', '-in', 'leaf.crt')).toContain(`Signature Algorithm: ${algorithm}`);
  });

  test.each([
    [
      'whose constraints leave out localhost',
      RSA,
      ['nameConstraints=critical,permitted;DNS:example.com'],
      /leave out localhost,/,
    ],
    [
      'that excludes loopback',
      RSA,
      ['nameConstraints=critical,excluded;IP:127.0.0.1/255.255.255.255'],
      /leave out 127\.0\.0\.1,/,
    ],
    ['with a key nobody on the machine reads', ['-newkey', 'ed25519'], [], /got a key of type ed25519/],
    ['with a short RSA key', ['-newkey', 'rsa:1024'], [], /RSA of at least 2048 bits/],
  ])('is refused: one %s', async (_name, key, extensions, message) => {
    await expect(loadRegistryCa(made(key, ...extensions), now)).rejects.toMatchObject({
      code: 'CERTIFICATES_INVALID',
      message: expect.stringMatching(message),
    });
  });
});
