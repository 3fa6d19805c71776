import { mkdirSync, mkdtempSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { gotFetcher } from '../../../../src/mirror/resolve/got-fetcher.ts';
import {
  MAX_SIGNATURE_BYTES,
  openSignatureStore,
} from '../../../../src/mirror/resolve/signature/signature-store.ts';
import {
  type Keyring,
  loadKeyring,
  parseKeyring,
} from '../../../../src/mirror/resolve/signature/verify-openpgp.ts';
import { verifyReleaseSignature } from '../../../../src/mirror/resolve/signature/verify-release.ts';
import { type Digest, digestHex, digestOf } from '../../../../src/oci/digest.ts';
import { Gnupg, hasGpg } from './gnupg.ts';

const RELEASE = digestOf(Buffer.from('a release manifest'));
const REFERENCE = 'quay.io/openshift-release-dev/ocp-release:4.18.9-x86_64';
const host = { now: () => new Date() };
const fetcher = gotFetcher({ maxBytes: MAX_SIGNATURE_BYTES, retryTimes: 0, stallTimeoutMs: 2000 });

function statement(
  digest: string = RELEASE,
  change: (document: Record<string, unknown>) => void = () => {},
): string {
  const document: Record<string, unknown> = {
    critical: {
      type: 'atomic container signature',
      image: { 'docker-manifest-digest': digest },
      identity: { 'docker-reference': REFERENCE },
    },
    optional: { creator: 'a test', timestamp: 1_700_000_000 },
  };
  change(document);
  return JSON.stringify(document);
}

describe.skipIf(!hasGpg)('verifyReleaseSignature (needs gpg on PATH)', () => {
  let gnupg: Gnupg;
  let keyring: Keyring;
  let folder: string;
  beforeAll(async () => {
    gnupg = new Gnupg();
    gnupg.makeKey('release');
    gnupg.makeKey('stranger');
    gnupg.makeKey('curve', { algorithm: 'ed25519' });
    gnupg.makeKey('short', { expires: '2020-02-01', at: '20200101T000000' });
    gnupg.makeKey('revoked');
    gnupg.run(['--quick-add-key', gnupg.fingerprint('release'), 'rsa2048', 'sign', 'never']);
    keyring = await parseKeyring(gnupg.exportKeys('release', 'curve', 'short'), 'keyring.gpg');
  });
  afterAll(() => gnupg.remove());

  /** A store folder with signature-1, signature-2 and on. */
  function storeOf(signatures: readonly Uint8Array[], digest: Digest = RELEASE): string {
    folder = mkdtempSync(join(tmpdir(), 'signatures-'));
    const place = join(folder, `sha256=${digestHex(digest)}`);
    mkdirSync(place);
    for (const [at, bytes] of signatures.entries()) writeFileSync(join(place, `signature-${at + 1}`), bytes);
    return folder;
  }
  afterEach(() => {
    if (folder) rmSync(folder, { recursive: true, force: true });
  });
  const verify = (location: string, ring = keyring) =>
    verifyReleaseSignature(RELEASE, { stores: [openSignatureStore(location, fetcher)], keyring: ring }, host);

  it.each<[string, () => Uint8Array]>([
    ['as gpg signs: compressed', () => gnupg.sign('release', statement())],
    ['uncompressed', () => gnupg.sign('release', statement(), ['--compress-algo', 'none'])],
    ['compressed with zlib', () => gnupg.sign('release', statement(), ['--compress-algo', 'zlib'])],
    ['with SHA-512', () => gnupg.sign('release', statement(), ['--digest-algo', 'SHA512'])],
    ['with the primary key', () => gnupg.sign(`${gnupg.fingerprint('release')}!`, statement())],
    ['with an Ed25519 key', () => gnupg.sign('curve', statement())],
    [
      'without optional fields',
      () =>
        gnupg.sign(
          'release',
          statement(RELEASE, (document) => delete document.optional),
        ),
    ],
    ['by two keys, one unknown', () => gnupg.run(['-u', 'stranger', '-u', 'release', '--sign'], statement())],
  ])('holds for a release signed %s', async (_name, sign) => {
    const bytes = sign();
    const found = await verify(storeOf([bytes]));
    expect(found).toMatchObject({ reference: REFERENCE, where: `signature-1 in ${folder}` });
    expect(keyring.fingerprints).toContain(found.signedBy);
    expect(Buffer.from(found.bytes).equals(bytes)).toBe(true);
  });

  it('goes on to later signatures until one holds', async () => {
    const signatures = [
      gnupg.sign('stranger', statement()),
      Buffer.from('rubbish'),
      gnupg.sign('release', statement()),
    ];
    expect((await verify(storeOf(signatures))).where).toMatch(/^signature-3 /);
  });

  it('reads a store by file URL', async () => {
    const location = pathToFileURL(storeOf([gnupg.sign('release', statement())])).href;
    expect((await verify(location)).reference).toBe(REFERENCE);
  });

  function flip(bytes: Buffer): Buffer {
    const at = bytes.indexOf(REFERENCE);
    expect(at).toBeGreaterThan(0);
    return Buffer.concat([bytes.subarray(0, at), Buffer.from('Q'), bytes.subarray(at + 1)]);
  }
  const plain = ['--compress-algo', 'none'];
  it.each<[string, () => Uint8Array, RegExp]>([
    ['signed by another key', () => gnupg.sign('stranger', statement()), /could not find signing key/i],
    ['changed after signing', () => flip(gnupg.sign('release', statement(), plain)), /digest did not match/i],
    [
      'of another release',
      () => gnupg.sign('release', statement(digestOf(Buffer.from('other')))),
      /it signs sha256:/,
    ],
    [
      'of another type',
      () => gnupg.sign('release', statement().replace('atomic', 'molecular')),
      /critical\.type/,
    ],
    [
      'with an unknown critical field',
      () =>
        gnupg.sign(
          'release',
          statement(RELEASE, (d) => Object.assign(d.critical as object, { more: 1 })),
        ),
      /critical: Unrecognized key/,
    ],
    ['without identity', () => gnupg.sign('release', statement().replace(REFERENCE, '')), /docker-reference/],
    ['that signs no JSON', () => gnupg.sign('release', 'hello'), /not JSON/],
    ['that is not signed', () => gnupg.run(['--store'], statement()), /not signed/],
    [
      'without its content',
      () => gnupg.run(['-u', 'release', '--detach-sign'], statement()),
      /signature-1 in/,
    ],
    ['in clear text', () => gnupg.run(['-u', 'release', '--clear-sign'], statement()), /signature-1 in/],
    ['with SHA-1', () => gnupg.sign('release', statement(), ['--digest-algo', 'SHA1']), /sha1/i],
    [
      'that has expired',
      () =>
        gnupg.sign('release', statement(), [
          '--faked-system-time',
          '20250101T000000',
          '--default-sig-expire',
          '1d',
          '--ignore-time-conflict',
          '--ignore-valid-from',
        ]),
      /signature-1 in/,
    ],
    ['that is empty', () => Buffer.alloc(0), /signature-1 in/],
    ['that is rubbish', () => Buffer.from('<html>not found</html>'), /signature-1 in/],
    ['that is cut', () => gnupg.sign('release', statement(), plain).subarray(0, -100), /signature-1 in/],
    [
      'that unpacks to 32 MiB',
      () => gnupg.sign('release', Buffer.alloc(32 << 20), ['--compress-algo', 'zlib']),
      /signature-1 in/,
    ],
  ])('refuses a signature %s', async (_name, sign, why) => {
    const refused = verify(storeOf([sign()]));
    await expect(refused).rejects.toMatchObject({ code: 'SIGNATURE_INVALID', exitCode: 6 });
    await expect(refused).rejects.toThrow(why);
  });

  it('holds for a key that was valid when it signed and has expired since', async () => {
    const bytes = gnupg.sign('short', statement(), ['--faked-system-time', '20200115T000000']);
    expect((await verify(storeOf([bytes]))).signedBy).toBe(gnupg.fingerprint('short'));
  });

  it('refuses a key that is revoked', async () => {
    const bytes = gnupg.sign('revoked', statement());
    const location = storeOf([bytes]);
    const before = await parseKeyring(gnupg.exportKeys('revoked'), 'before.gpg');
    await expect(verify(location, before)).resolves.toBeDefined();
    gnupg.revoke('revoked');
    const after = await parseKeyring(gnupg.exportKeys('revoked'), 'after.gpg');
    await expect(verify(location, after)).rejects.toMatchObject({ code: 'SIGNATURE_INVALID' });
  });

  it('says that there is no signature, and where it looked', async () => {
    const missing = verify(storeOf([], digestOf(Buffer.from('other'))));
    await expect(missing).rejects.toMatchObject({ code: 'SIGNATURE_MISSING', exitCode: 4 });
    await expect(missing).rejects.toThrow(folder);
  });

  it('says that no store is given', async () => {
    const none = verifyReleaseSignature(RELEASE, { stores: [], keyring }, host);
    await expect(none).rejects.toMatchObject({ code: 'SIGNATURE_MISSING' });
  });

  it('refuses a signature file of 10 GB without reading it', async () => {
    const location = storeOf([Buffer.alloc(1)]);
    truncateSync(join(location, `sha256=${digestHex(RELEASE)}`, 'signature-1'), 10e9);
    await expect(verify(location)).rejects.toMatchObject({ code: 'SIGNATURE_INVALID' });
  });

  describe('over http', () => {
    let server: Server | undefined;
    afterEach(() => {
      server?.closeAllConnections();
      server?.close();
    });
    async function serve(answer: (path: string) => Uint8Array | number): Promise<string> {
      const started = createServer(({ url = '' }, response) => {
        const found = answer(url);
        if (typeof found === 'number') response.writeHead(found).end();
        else response.end(found);
      });
      server = started;
      await new Promise<void>((resolve) => started.listen(0, '127.0.0.1', resolve));
      return `http://127.0.0.1:${(started.address() as AddressInfo).port}/signatures/release/`;
    }

    it('asks for one signature after the other', async () => {
      const asked: string[] = [];
      const signatures = [gnupg.sign('stranger', statement()), gnupg.sign('release', statement())];
      const location = await serve((path) => {
        asked.push(path);
        return signatures[Number(path.slice(-1)) - 1] ?? 404;
      });
      expect((await verify(location)).reference).toBe(REFERENCE);
      const place = `/signatures/release/sha256=${digestHex(RELEASE)}`;
      expect(asked).toEqual([`${place}/signature-1`, `${place}/signature-2`]);
    });

    it('stops at nine signatures', async () => {
      let asked = 0;
      const stranger = gnupg.sign('stranger', statement());
      const location = await serve(() => {
        asked += 1;
        return stranger;
      });
      await expect(verify(location)).rejects.toMatchObject({ code: 'SIGNATURE_INVALID' });
      expect(asked).toBe(9);
    });

    it.each([
      ['there is none', 404, 'SIGNATURE_MISSING'],
      ['the store is broken', 500, 'SIGNATURE_STORE_UNREACHABLE'],
      ['the store sends too much', 200, 'SIGNATURE_STORE_UNREACHABLE'],
    ])('tells that %s', async (_name, status, code) => {
      const location = await serve(() => (status === 200 ? Buffer.alloc(MAX_SIGNATURE_BYTES + 1) : status));
      await expect(verify(location)).rejects.toMatchObject({ code });
    });

    it('asks the next store when one is out of reach', async () => {
      const dead = await serve(() => 200);
      await new Promise((resolve) => server?.close(resolve));
      const stores = [dead, storeOf([gnupg.sign('release', statement())])].map((each) =>
        openSignatureStore(each, fetcher),
      );
      const found = await verifyReleaseSignature(RELEASE, { stores, keyring }, host);
      expect(found.reference).toBe(REFERENCE);
    });
  });

  describe('keyrings', () => {
    it('reads armoured blocks, several in a file, and binary ones', async () => {
      const armoured = ['release', 'stranger'].map((name) => gnupg.run(['--armor', '--export', name]));
      const file = gnupg.write('keys.asc', Buffer.concat([Buffer.from('# keys of ours\n'), ...armoured]));
      const names = ['release', 'stranger'].map((name) => gnupg.fingerprint(name));
      expect((await loadKeyring(file)).fingerprints).toEqual(names);
      const binary = gnupg.write('keys.gpg', gnupg.exportKeys('release', 'stranger'));
      expect((await loadKeyring(binary)).fingerprints.toSorted()).toEqual(names.toSorted());
    });

    it.each<[string, () => Uint8Array]>([
      ['nothing', () => Buffer.alloc(0)],
      ['text', () => Buffer.from('hello')],
      ['a signature', () => gnupg.sign('release', statement())],
      ['a cut block', () => gnupg.run(['--armor', '--export', 'release']).subarray(0, 400)],
      ['a secret key', () => gnupg.run(['--export-secret-keys', 'release'])],
      ['an armoured secret key', () => gnupg.run(['--armor', '--export-secret-keys', 'release'])],
    ])('refuses %s', async (_name, bytes) => {
      await expect(parseKeyring(bytes(), 'k.gpg')).rejects.toMatchObject({
        code: 'KEYRING_INVALID',
        place: { file: 'k.gpg' },
      });
    });

    it('refuses a file that is absent or too large', async () => {
      await expect(loadKeyring(join(gnupg.home, 'absent'))).rejects.toMatchObject({
        code: 'FILE_UNREADABLE',
      });
      const file = gnupg.write('huge', '');
      truncateSync(file, 10e9);
      await expect(loadKeyring(file)).rejects.toMatchObject({ code: 'KEYRING_INVALID' });
    });
  });
});
