import { X509Certificate } from 'node:crypto';
import { readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { registryCa, registryCaFolder, registryLeaf } from '../../src/factory/registry-trust.ts';
import { realHost } from '../../src/host/real-host.ts';
import { tempFolder } from '../support/temp-folder.ts';

const BUILD_TIME = new Date('2026-11-21T10:00:00Z');

describe('the trust of the registry on the machines', () => {
  test('is one CA a factory, made once and kept, and one certificate a site', async () => {
    const out = tempFolder();
    const folder = registryCaFolder({ registry: {}, paths: { out } });
    const ca = await registryCa(folder, BUILD_TIME, realHost);
    expect((await registryCa(folder, BUILD_TIME, realHost)).certPem).toBe(ca.certPem);
    expect(statSync(join(folder, 'ca.key')).mode & 0o777).toBe(0o600);

    const site = join(out, 'bip');
    const made = await registryLeaf(site, ca, realHost);
    expect(await registryLeaf(site, ca, realHost)).toEqual(made);
    expect(statSync(join(site, 'registry.key')).mode & 0o777).toBe(0o600);
    expect(new X509Certificate(made.certificatePem).checkHost('localhost')).toBe('localhost');
    expect(made.caPem).not.toContain('PRIVATE KEY');
    expect((await registryLeaf(join(out, 'other'), ca, realHost)).certificatePem).not.toBe(
      made.certificatePem,
    );
  });

  test('is one CA, whoever of several that begin at once comes first', async () => {
    const out = tempFolder();
    const made = await Promise.all(
      Array.from({ length: 6 }, () => registryCa(join(out, 'ca'), BUILD_TIME, realHost)),
    );
    expect(new Set(made.map(({ certPem }) => certPem)).size).toBe(1);
    expect(readdirSync(out)).toEqual(['ca']);
  });

  test('a certificate of another CA is made anew: nobody would trust the old one', async () => {
    const out = tempFolder();
    const site = join(out, 'bip');
    const one = await registryCa(join(out, 'one'), BUILD_TIME, realHost);
    const two = await registryCa(join(out, 'two'), BUILD_TIME, realHost);
    const old = await registryLeaf(site, one, realHost);
    const made = await registryLeaf(site, two, realHost);
    expect(made.certificatePem).not.toBe(old.certificatePem);
    expect(new X509Certificate(made.certificatePem).verify(two.certificate.publicKey)).toBe(true);
    expect(readFileSync(join(site, 'registry.crt'), 'utf8')).toBe(made.certificatePem);
  });

  test('a damaged certificate is told by its path', async () => {
    const out = tempFolder();
    const ca = await registryCa(join(out, 'ca'), BUILD_TIME, realHost);
    await registryLeaf(out, ca, realHost);
    writeFileSync(join(out, 'registry.crt'), 'no certificate');
    await expect(registryLeaf(out, ca, realHost)).rejects.toMatchObject({
      code: 'CERTIFICATES_INVALID',
      message: expect.stringContaining(join(out, 'registry.crt')),
    });
  });

  test('the folder a factory names comes first', () => {
    expect(registryCaFolder({ registry: { ca: '/keys' }, paths: { out: '/out' } })).toBe('/keys');
  });
});
