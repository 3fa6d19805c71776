import { readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { writeUndo } from '../../src/boot/iso/undo-file.ts';
import { makeCoreosIso } from '../../src/factory/demo/coreos-iso.ts';
import { runEdgefab, runEdgefabJson } from '../support/run-edgefab.ts';
import { tempFolder } from '../support/temp-folder.ts';

const CONFIG = '{"ignition":{"version":"3.2.0"}}';

/** A folder with a live ISO and one with an Ignition config and an argument in it. */
async function folderWithIsos(): Promise<{ cwd: string; at: (name: string) => string }> {
  const cwd = tempFolder();
  const at = (name: string): string => join(cwd, name);
  await makeCoreosIso(at('live.iso'));
  writeFileSync(at('x.ign'), CONFIG);
  const embed = [
    'iso',
    'embed',
    'live.iso',
    '--ignition',
    'x.ign',
    '--append-karg',
    'foo=bar',
    '-o',
    'site.iso',
  ];
  expect((await runEdgefab(embed, { cwd })).status).toBe(0);
  return { cwd, at };
}

describe('edgefab iso', () => {
  test('reads no ISO that a killed run left half changed, and says how to put it back', async () => {
    const { cwd, at } = await folderWithIsos();
    await writeUndo(at('site.iso'), { owner: '1 0 another-boot', changes: [] });
    for (const args of [
      ['show', 'site.iso'],
      ['extract', 'site.iso', 'kargs'],
      ['diff', 'live.iso', 'site.iso'],
      ['reset', 'site.iso', '-o', 'reset.iso'],
      ['write', '--iso', 'site.iso', '/dev/null', '--yes'],
    ]) {
      const run = await runEdgefab(['iso', ...args], { cwd });
      expect(run.stderr, args[0]).toContain('iso embed site.iso --in-place');
      expect(run.status, args[0]).toBe(4);
    }
    expect(await runEdgefab(['iso', 'embed', 'site.iso', '--in-place'], { cwd })).toMatchObject({
      status: 0,
    });
    expect(await runEdgefab(['iso', 'show', 'site.iso'], { cwd })).toMatchObject({ status: 0 });
  });

  test('show says what is inside, for people and for programs', async () => {
    const { cwd } = await folderWithIsos();
    const shown = await runEdgefab(['iso', 'show', 'site.iso'], { cwd });
    expect(shown.stdout).toMatch(/^system {8}not a name CoreOS images have, x86_64$/m);
    expect(shown.stdout).toMatch(/^ {2}used {8}\d+ bytes, 0% \(gzip\)$/m);
    expect(shown.stdout).toMatch(/^embedded {6}config.ign, 32 bytes, Ignition 3.2.0$/m);
    expect(shown.stdout).toMatch(/^ {2}changes {5}\+foo=bar$/m);
    const { document } = await runEdgefabJson(['iso', 'show', 'site.iso'], { cwd });
    expect(document).toMatchObject({
      apiVersion: 'edgefab.io/v1',
      kind: 'Iso',
      os: null,
      architecture: 'x86_64',
      compression: 'gzip',
      ignitionConfig: { version: '3.2.0', sizeBytes: 32 },
      kargsChanges: ['+foo=bar'],
    });
  });

  test('extract writes to stdout, to a file of the owner, to a folder, and lists', async () => {
    const { cwd, at } = await folderWithIsos();
    expect((await runEdgefab(['iso', 'extract', 'site.iso', 'ignition'], { cwd })).stdout).toBe(CONFIG);
    expect((await runEdgefab(['iso', 'extract', 'site.iso', 'kargs', '-o', '-'], { cwd })).stdout).toMatch(
      / foo=bar\n$/,
    );
    const toFile = ['iso', 'extract', 'site.iso', 'ignition', '-o', 'out.ign'];
    expect(await runEdgefab(toFile, { cwd })).toMatchObject({ status: 0, stdout: 'out.ign: 32 bytes\n' });
    expect(statSync(at('out.ign')).mode & 0o777).toBe(0o600);
    expect((await runEdgefab(toFile, { cwd })).status).toBe(4);
    expect((await runEdgefab([...toFile, '--force'], { cwd })).status).toBe(0);
    const pxe = await runEdgefabJson(['iso', 'extract', 'site.iso', 'pxe', '-o', 'pxe'], { cwd });
    expect(pxe.document).toMatchObject({
      kind: 'IsoExtract',
      what: 'pxe',
      files: [{}, {}, { path: 'pxe/vmlinuz' }],
    });
    expect(readdirSync(at('pxe'))).toEqual(['initrd.img', 'rootfs.img', 'vmlinuz']);
    const listed = await runEdgefab(['iso', 'extract', 'site.iso', '--list'], { cwd });
    expect(listed.stdout).toMatch(/^bytes +path\n/);
    expect(listed.stdout).toMatch(/^262144 +IMAGES\/IGNITION.IMG$/m);
  });

  test.each([
    [['site.iso'], 2, 'nothing is named'],
    [['site.iso', 'pxe'], 2, '3 files are to be written, not one'],
    [['site.iso', 'network', '-o', 'n'], 2, 'no network files embedded'],
    [['site.iso', 'ignition', '--json'], 2, '--json takes stdout'],
    [['site.iso', 'ignition', '--list'], 2, 'too much'],
    [['-', 'ignition'], 2, 'cannot be read from stdin'],
    [['none.iso', 'ignition'], 3, 'cannot be opened'],
    [['x.ign', 'ignition'], 3, 'cannot be read as a live ISO'],
    [['site.iso', 'ignition', '-o', 'site.iso', '--force'], 2, 'is the source ISO itself'],
  ])('extract %j ends with status %i', async (args, status, message) => {
    const { cwd } = await folderWithIsos();
    const run = await runEdgefab(['iso', 'extract', ...args], { cwd });
    expect(run.status).toBe(status);
    expect(run.stderr + run.stdout).toContain(message);
  });

  test('reset, in place and to a file, and diff, which says so', async () => {
    const { cwd, at } = await folderWithIsos();
    const diff = await runEdgefab(['iso', 'diff', 'live.iso', 'site.iso', '--exit-code'], { cwd });
    expect(diff.status).toBe(4);
    expect(diff.stdout).toMatch(/^kernel argument \+foo=bar$/m);
    expect(diff.stdout).toMatch(/^embedded config.ign: not there -> 32 bytes$/m);
    expect(diff.stdout).toMatch(/^all \d+ bytes outside the areas are the same$/m);
    expect((await runEdgefab(['iso', 'diff', 'live.iso', 'site.iso'], { cwd })).status).toBe(0);
    expect((await runEdgefab(['iso', 'reset', 'site.iso', '-o', 'reset.iso'], { cwd })).status).toBe(0);
    const inPlace = await runEdgefab(['iso', 'reset', 'site.iso', '--in-place'], { cwd });
    expect(inPlace.stdout).toContain('site.iso: Ignition area in /images/ignition.img reset\n');
    for (const name of ['reset.iso', 'site.iso']) {
      expect(readFileSync(at(name)).equals(readFileSync(at('live.iso')))).toBe(true);
    }
    expect((await runEdgefab(['iso', 'reset', 'site.iso', '--in-place'], { cwd })).stdout).toBe(
      'site.iso: as it was made\n',
    );
    const same = await runEdgefabJson(['iso', 'diff', 'live.iso', 'site.iso', '--exit-code'], { cwd });
    expect(same).toMatchObject({ status: 0, document: { kind: 'IsoDiff', same: true } });
    for (const flags of [[], ['-o', 'y.iso', '--in-place']]) {
      expect((await runEdgefab(['iso', 'reset', 'site.iso', ...flags], { cwd })).status).toBe(2);
    }
  });
});
