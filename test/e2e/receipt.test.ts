import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { copyFileSync, cpSync, existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, test } from 'vitest';
import type { Receipt } from '../../src/factory/receipt/receipt.ts';
import { type MadeFactory, makeFactory } from '../support/made-factory.ts';
import { runEdgefab, runEdgefabJson } from '../support/run-edgefab.ts';
import { tempFolder } from '../support/temp-folder.ts';

/** A factory with two built sites whose receipts are signed; tests work on copies. */
async function signedFactory(): Promise<MadeFactory> {
  const factory = await makeFactory({ sites: ['alpha', 'beta'] });
  const openssl = (...args: string[]) =>
    execFileSync('openssl', args, { cwd: factory.folder, stdio: 'pipe' });
  openssl('genpkey', '-algorithm', 'ed25519', '-out', 'receipt.key');
  openssl('pkey', '-in', 'receipt.key', '-pubout', '-out', 'receipt.pub');
  openssl('genpkey', '-algorithm', 'ed25519', '-out', 'other.key');
  openssl('pkey', '-in', 'other.key', '-pubout', '-out', 'other.pub');
  openssl('genpkey', '-algorithm', 'RSA', '-out', 'rsa.key');
  const yaml = readFileSync(factory.at('factory.yaml'), 'utf8');
  writeFileSync(factory.at('factory.yaml'), `${yaml}signingKey: { file: receipt.key }\n`);
  const cwd = factory.folder;
  expect(await runEdgefab(['precache', '--insecure', '--quiet'], { cwd })).toMatchObject({ status: 0 });
  expect(await runEdgefab(['batch', '--quiet'], { cwd })).toMatchObject({ status: 0 });
  return factory;
}

describe('receipts', () => {
  // The registry is not asked any more once all is built: the folder outlives the test that made it.
  const cwd = mkdtempSync(join(tmpdir(), 'edgefab-receipts-'));
  const factory = { at: (...parts: string[]): string => join(cwd, ...parts) };
  afterAll(() => rmSync(cwd, { recursive: true }));

  test('are signed where the factory names a key', async () => {
    const { folder } = await signedFactory();
    cpSync(folder, cwd, { recursive: true, verbatimSymlinks: true });
    expect(existsSync(factory.at('out', 'alpha', 'receipt.json'))).toBe(true);
  });

  /** A copy of one built site, with changes to its receipt. */
  function copyOf(site: string, change: (receipt: Receipt) => unknown = (receipt) => receipt): string {
    const folder = tempFolder();
    copyFileSync(factory.at('out', site, `${site}.iso`), join(folder, `${site}.iso`));
    const receipt = JSON.parse(readFileSync(factory.at('out', site, 'receipt.json'), 'utf8')) as Receipt;
    writeFileSync(join(folder, 'receipt.json'), `${JSON.stringify(change(receipt), null, 2)}\n`);
    return folder;
  }

  test('name what was built from what, and no secret', () => {
    const text = readFileSync(factory.at('out', 'alpha', 'receipt.json'), 'utf8');
    const receipt = JSON.parse(text) as Receipt;
    const sha256 = (name: string) =>
      createHash('sha256')
        .update(readFileSync(factory.at(name)))
        .digest('hex');
    expect(receipt.inputs).toMatchObject({
      imageSet: `sha256:${sha256('imageset.yaml')}`,
      ignition: sha256('bip.ign'),
      liveIso: { file: 'live.iso', sha256: sha256('live.iso') },
    });
    expect(receipt.iso.sha256).toBe(sha256('out/alpha/alpha.iso'));
    expect(receipt.coverage.images).toBeGreaterThan(10);
    expect(receipt.coverage.allowed).toEqual([]);
    expect(receipt.writer).toMatch(/^edgefab\/\d/);
    expect(text).not.toMatch(/PRIVATE KEY|"auth"/);
  });

  test('of a whole output folder are verified at once', async () => {
    const run = await runEdgefab(
      ['receipt', 'verify', 'out', '--key', 'receipt.pub', '--require-signature'],
      { cwd },
    );
    expect(run).toMatchObject({ status: 0, stderr: '' });
    expect(run.stdout).toMatch(/^alpha: good, build [0-9a-f]{64}, signature good\nbeta: good, /);
    const { document } = await runEdgefabJson(['receipt', 'verify', 'out/alpha'], { cwd });
    expect(document).toMatchObject({ kind: 'VerifiedReceipts', receipts: [{ signature: 'unchecked' }] });
  });

  test('are the same bytes for the same build', async () => {
    const before = readFileSync(factory.at('out', 'beta', 'receipt.json'), 'utf8');
    expect(await runEdgefab(['batch', 'beta', '--rebuild', '--quiet'], { cwd })).toMatchObject({ status: 0 });
    expect(readFileSync(factory.at('out', 'beta', 'receipt.json'), 'utf8')).toBe(before);
  });

  test('keep which sticks a site was given, outside the signature', async () => {
    const stick = {
      serial: 'SN1',
      model: 'Flash',
      byId: 'usb-Flash_SN1-0:0',
      sizeBytes: 16_000_000_000,
      isoSha256: '0'.repeat(64),
      writtenAt: '2026-11-21T12:00:00Z',
      readBack: 'equal',
    } as const;
    const folder = copyOf('alpha', (receipt) => ({ ...receipt, sticks: [stick] }));
    const run = await runEdgefab(['receipt', 'verify', folder, '--key', factory.at('receipt.pub')]);
    expect(run).toMatchObject({ status: 0 });
    expect(run.stdout).toContain('stick SN1 (Flash), written 2026-11-21T12:00:00Z\n');
    const own = factory.at('out', 'beta', 'receipt.json');
    const text = readFileSync(own, 'utf8');
    writeFileSync(own, JSON.stringify({ ...(JSON.parse(text) as Receipt), sticks: [stick] }));
    expect(await runEdgefab(['iso', 'beta', '--quiet'], { cwd })).toMatchObject({ status: 0 });
    expect((JSON.parse(readFileSync(own, 'utf8')) as Receipt).sticks).toEqual([stick]);
    writeFileSync(own, text);
  });

  test('keep how a build was rehearsed, outside the signature, until it is built again', async () => {
    const rehearsal = {
      endedAt: '2026-11-21T12:00:00Z',
      writer: 'edgefab/1.0.0',
      verdict: 'failed',
      firmware: 'bios',
      accelerator: 'kvm',
      memoryMiB: 16_384,
      network: 'dropped',
      clock: null,
      seconds: 400.5,
      phases: [{ phase: 'live', seconds: 400.5 }],
      checks: [
        { phase: 'live', name: 'boot', state: 'good' },
        { phase: 'live', name: 'host name', state: 'failed' },
        { phase: 'live', name: 'registry', state: 'unknown' },
      ],
      payloadBytes: 0,
    } as const;
    const own = factory.at('out', 'beta', 'receipt.json');
    const text = readFileSync(own, 'utf8');
    const { buildId } = JSON.parse(text) as Receipt;
    const verified = async (...rehearsals: readonly object[]) => {
      writeFileSync(own, JSON.stringify({ ...(JSON.parse(text) as Receipt), rehearsals }));
      return await runEdgefab(['receipt', 'verify', 'out/beta', '--key', 'receipt.pub'], { cwd });
    };
    const failed = await verified({ ...rehearsal, buildId });
    expect(failed).toMatchObject({ status: 0 });
    expect(failed.stdout).toContain('rehearsal 2026-11-21T12:00:00Z: failed, live, bios, kvm\n');
    expect(failed.stderr).toContain(
      'beta: its last rehearsal, 2026-11-21T12:00:00Z, failed: host name, registry',
    );
    const passed = { ...rehearsal, buildId, verdict: 'passed', checks: [] };
    expect(await verified({ ...rehearsal, buildId }, passed)).toMatchObject({ status: 0, stderr: '' });
    const other = await verified(passed, { ...passed, buildId: 'c'.repeat(64) });
    expect(other.stderr).toContain('was of another build, cccc');
    expect(await runEdgefab(['batch', 'beta', '--rebuild', '--quiet'], { cwd })).toMatchObject({ status: 0 });
    expect(readFileSync(own, 'utf8')).toBe(text);
  });

  test.each<[string, (receipt: Receipt) => unknown, string[], number, string]>([
    [
      'changed',
      (receipt) => ({ ...receipt, site: 'gamma' }),
      ['--key', 'receipt.pub'],
      6,
      'SIGNATURE_INVALID',
    ],
    ['signed by another', (receipt) => receipt, ['--key', 'other.pub'], 6, 'SIGNATURE_INVALID'],
    [
      'not signed',
      ({ signature: _, ...receipt }) => receipt,
      ['--require-signature'],
      4,
      'SIGNATURE_MISSING',
    ],
    ['signed, no key to check it', (receipt) => receipt, ['--require-signature'], 6, 'SIGNATURE_INVALID'],
    [
      'of another ISO',
      (receipt) => ({ ...receipt, iso: { ...receipt.iso, sha256: 'a'.repeat(64) } }),
      [],
      6,
      'its sha256 is',
    ],
    [
      'of a longer ISO',
      (receipt) => ({ ...receipt, iso: { ...receipt.iso, sizeBytes: 7 } }),
      [],
      6,
      'its size is',
    ],
    ['of another build', (receipt) => ({ ...receipt, buildId: 'b'.repeat(64) }), [], 6, 'its build id is'],
    ['with a key too many', (receipt) => ({ ...receipt, colour: 'red' }), [], 3, 'RECEIPT_INVALID'],
    ['that lacks one', ({ buildId: _, ...receipt }) => receipt, [], 3, 'buildId'],
  ])('a receipt %s is refused', async (_, change, flags, status, text) => {
    const folder = copyOf('alpha', change);
    const absolute = flags.map((flag) => (flag.endsWith('.pub') ? factory.at(flag) : flag));
    const run = await runEdgefab(['receipt', 'verify', folder, ...absolute]);
    expect(run.status).toBe(status);
    expect(run.stderr).toContain(text);
  });

  test('one damaged byte anywhere in the ISO is found', async () => {
    const folder = copyOf('alpha');
    const iso = join(folder, 'alpha.iso');
    const bytes = readFileSync(iso);
    bytes[bytes.length - 9] = (bytes[bytes.length - 9] ?? 0) ^ 0x80;
    writeFileSync(iso, bytes);
    const run = await runEdgefab(['receipt', 'verify', folder]);
    expect(run.status).toBe(6);
    expect(run.stderr).toContain('RECEIPT_MISMATCH');
  });

  test.each([
    ['rsa.key', 'rsa'],
    ['factory.yaml', 'cannot be read as a key'],
  ])('a signing key that is none of ours is refused before work: %s', async (file, text) => {
    const yaml = readFileSync(factory.at('factory.yaml'), 'utf8').replace('receipt.key', file);
    writeFileSync(factory.at('other.yaml'), yaml);
    const run = await runEdgefab(['batch', '--factory', 'other.yaml'], { cwd });
    expect(run.status).toBe(3);
    expect(run.stderr).toContain(text);
    expect(run.stderr).toContain('openssl genpkey -algorithm ed25519');
  });

  test('a folder without receipts says what to name', async () => {
    const run = await runEdgefab(['receipt', 'verify', tempFolder()]);
    expect(run.status).toBe(3);
    expect(run.stderr).toContain('out/SITE/receipt.json');
  });
});
