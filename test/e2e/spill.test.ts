import { execFileSync, spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, onTestFinished, test } from 'vitest';
import { fileText } from '../../src/boot/ignition/file-contents.ts';
import { parseIgnition } from '../../src/boot/ignition/parse-ignition.ts';
import { inspectIso } from '../../src/boot/iso/inspect-iso.ts';
import { readIsoIgnition } from '../../src/boot/iso/read-iso.ts';
import type { Receipt } from '../../src/factory/receipt/receipt.ts';
import { HAS_WASM, NEEDS_WASM } from '../support/butane.ts';
import { coreosInstaller, hasCoreosInstaller } from '../support/coreos-installer.ts';
import { HAS_IGNITION_VALIDATE, ignitionValidate } from '../support/ignition-validate.ts';
import type { MadeFactory } from '../support/made-factory.ts';
import { runEdgefab, runEdgefabJson } from '../support/run-edgefab.ts';
import { canMount } from '../support/small-disk.ts';
import { makeSpillFactory, TOOL } from '../support/spill-factory.ts';

const HEX = createHash('sha256').update(TOOL.bytes).digest('hex');
const SPILLED = [{ path: TOOL.path, sha256: HEX, sizeBytes: TOOL.bytes.length }];

const held = (factory: MadeFactory): string => factory.at('cache', 'files', 'sha256', HEX);
const isoOf = (factory: MadeFactory, site: string): string => factory.at('out', site, `${site}.iso`);
const receiptOf = (factory: MadeFactory, site: string): Receipt =>
  JSON.parse(readFileSync(factory.at('out', site, 'receipt.json'), 'utf8')) as Receipt;

/** What the judge would say is left out where it is absent, and that is said. */
const judge = hasCoreosInstaller ? '' : ' (the judge SKIPPED: no coreos-installer on PATH)';

describe.skipIf(!HAS_WASM)(`a config that does not fit the embed area${NEEDS_WASM}`, () => {
  test(`is refused with the file that could go, and with --spill the file goes to the cache${judge}`, async () => {
    const factory = await makeSpillFactory();
    const cwd = factory.folder;
    const refused = await runEdgefab(['iso'], { cwd });
    expect(refused.status).toBe(4);
    expect(refused.stderr).toMatch(
      /site bip: these files could come from the cache disk instead: \/usr\/local\/bin\/big-tool \(\d+ bytes\), \/usr\/local\/bin\/small-tool \(6000 bytes\)/,
    );
    expect(refused.stderr).toContain('with --spill');
    expect(existsSync(isoOf(factory, 'bip'))).toBe(false);
    expect(existsSync(held(factory))).toBe(false);

    const built = await runEdgefab(['iso', '--spill'], { cwd });
    expect(built).toMatchObject({ status: 0 });
    expect(built.stdout).toContain(
      `  from cache    ${TOOL.path}, ${TOOL.bytes.length} bytes, files/sha256/${HEX}\n`,
    );
    expect(built.stderr).toContain('a cache disk that was copied before needs them too');
    expect(readFileSync(held(factory)).equals(TOOL.bytes)).toBe(true);
    expect(readdirSync(factory.at('cache', 'files', 'sha256'))).toEqual([HEX]);
    const { spilled, buildId, patch } = receiptOf(factory, 'bip');
    expect(spilled).toEqual(SPILLED);
    expect(patch.at(-1)).toMatchObject({ name: 'spill' });

    const embedded = await readIsoIgnition(await inspectIso(isoOf(factory, 'bip')));
    if (embedded === undefined) throw new Error('the ISO has no config');
    const ignition = parseIgnition(embedded, 'embedded.ign');
    const paths = ignition.files.map(({ path }) => path);
    expect(paths).not.toContain(TOOL.path);
    expect(paths).toContain('/usr/local/bin/small-tool');
    expect(fileText(ignition, '/etc/edgefab/files.list')).toMatch(
      new RegExp(`^#.*\\n${HEX} ${TOOL.bytes.length} 0755 ${TOOL.path}\\n$`),
    );
    if (HAS_IGNITION_VALIDATE) expect(ignitionValidate(embedded)).toBe('');
    if (hasCoreosInstaller)
      expect(coreosInstaller(['iso', 'ignition', 'show', isoOf(factory, 'bip')]).equals(embedded)).toBe(true);

    // Same inputs, same bytes, and the file is not written again.
    const first = readFileSync(isoOf(factory, 'bip'));
    const written = statSync(held(factory), { bigint: true }).mtimeNs;
    expect(await runEdgefab(['iso', '--spill', '--quiet'], { cwd })).toMatchObject({ status: 0 });
    expect(readFileSync(isoOf(factory, 'bip')).equals(first)).toBe(true);
    expect(receiptOf(factory, 'bip').buildId).toBe(buildId);
    expect(statSync(held(factory), { bigint: true }).mtimeNs).toBe(written);

    // The cache knows the file: nothing strange, hashed, told of, needed by the site.
    const cache = factory.at('cache');
    const verified = await runEdgefab(['cache', 'verify', cache, '--for', 'bip'], { cwd });
    expect(verified).toMatchObject({ status: 0 });
    expect(verified.stdout).toContain(', 1 files of sites, ');
    expect(verified.stderr).not.toContain('belongs to no image');
    expect((await runEdgefab(['cache', 'list', cache])).stdout).toContain(
      '1 files that boot sticks have no room for',
    );
    expect((await runEdgefab(['cache', 'gc', cache, '--rm-stale'])).status).toBe(0);
    expect(existsSync(held(factory))).toBe(true);
    const bytes = Buffer.from(TOOL.bytes);
    bytes[1000] = (bytes[1000] ?? 0) ^ 1;
    writeFileSync(held(factory), bytes);
    const damaged = await runEdgefab(['cache', 'verify', cache]);
    expect(damaged.status).toBe(6);
    expect(damaged.stderr).toContain(`files/sha256/${HEX}: found sha256:`);
    expect(damaged.stderr).toContain('edgefab batch --spill');
    rmSync(held(factory));
    const missing = await runEdgefab(['cache', 'verify', cache, '--for', 'bip'], { cwd });
    expect(missing.status).toBe(4);
    expect(missing.stderr).toContain(`does not have ${TOOL.path} of site bip`);
  });

  test('stays refused where another site does not have the overlay', async () => {
    const factory = await makeSpillFactory({ sites: ['alpha', 'beta'], alone: 'alpha' });
    const cwd = factory.folder;
    const batch = await runEdgefabJson(['batch', '--spill'], { cwd });
    expect(batch.status).toBe(9);
    const report = JSON.parse(readFileSync(factory.at('out', 'report.json'), 'utf8')) as {
      sites: { site: string; state: string; error?: { code: string; message: string } }[];
    };
    expect(report.sites.map(({ site, state }) => [site, state])).toEqual([
      ['alpha', 'failed'],
      ['beta', 'built'],
    ]);
    expect(report.sites[0]?.error).toMatchObject({
      code: 'EMBED_AREA_FULL',
      message: expect.stringMatching(
        /tools\.bu is not one of the overlays of every site \(beta without it\)/,
      ),
    });
    expect(existsSync(factory.at('cache', 'files'))).toBe(false);
    expect(receiptOf(factory, 'beta')).not.toHaveProperty('spilled');
  });

  test('batch: many sites share one file, and one that is gone from the cache is written again', async () => {
    const factory = await makeSpillFactory({ sites: ['alpha', 'beta', 'gamma'] });
    const cwd = factory.folder;
    const shards = await Promise.all(
      [0, 1].map((index) => runEdgefab(['batch', '--spill', '--shard', `${index}/2`], { cwd })),
    );
    expect(
      shards.map(({ status, stderr }) => [status, stderr.replace(/^.*(?:built|kept).*\n/gm, '')]),
    ).toEqual([
      [0, ''],
      [0, ''],
    ]);
    for (const site of ['alpha', 'beta', 'gamma']) expect(receiptOf(factory, site).spilled).toEqual(SPILLED);
    const isos = ['alpha', 'beta', 'gamma'].map((site) => readFileSync(isoOf(factory, site)));
    expect((await runEdgefab(['batch'], { cwd })).stdout).toContain('0 built, 3 kept, 0 failed');

    rmSync(held(factory));
    const without = await runEdgefab(['batch'], { cwd });
    expect(without.status).toBe(9);
    expect(without.stderr).toContain('these files could come from the cache disk instead');
    const again = await runEdgefab(['batch', '--spill'], { cwd });
    expect(again.stdout).toContain(' 0 failed in ');
    expect(readFileSync(held(factory)).equals(TOOL.bytes)).toBe(true);
    for (const [index, site] of ['alpha', 'beta', 'gamma'].entries())
      expect(readFileSync(isoOf(factory, site)).equals(isos[index] ?? Buffer.alloc(0))).toBe(true);
  });

  test.skipIf(!canMount)(
    'a cache that cannot be written is refused, and it is said what to do (needs root)',
    async () => {
      const factory = await makeSpillFactory();
      const cache = factory.at('cache');
      execFileSync('mount', ['--bind', cache, cache]);
      onTestFinished(() => void spawnSync('umount', [cache]));
      execFileSync('mount', ['-o', 'remount,bind,ro', cache]);
      const run = await runEdgefab(['iso', '--spill'], { cwd: factory.folder });
      expect(run.status).toBe(4);
      expect(run.stderr).toContain(
        `cannot be written, and 1 files of site bip are to be moved there: ${TOOL.path}`,
      );
      expect(run.stderr).toContain('remount,rw');
      expect(existsSync(join(factory.folder, 'out', 'bip', 'bip.iso'))).toBe(false);
    },
  );

  test('what cannot be moved far enough says what was moved, and what is left', async () => {
    const factory = await makeSpillFactory();
    writeFileSync(
      factory.at('secret.bu'),
      `variant: fcos
version: 1.3.0
storage: { files: [{ path: /etc/own/data, mode: 0600, contents: { local: files/tool } }] }
`,
    );
    factory.edit((yaml) => yaml.replace('overlays: [tools.bu]', 'overlays: [tools.bu, secret.bu]'));
    const run = await runEdgefab(['iso', '--spill'], { cwd: factory.folder });
    expect(run.status).toBe(4);
    expect(run.stderr).toContain(
      'all that could be moved to the cache disk is moved already: /usr/local/bin/big-tool',
    );
    expect(run.stderr).toMatch(/\/etc\/own\/data, \d+ bytes: it lies in none of the places/);
    expect(existsSync(factory.at('cache', 'files'))).toBe(false);
  });
});
