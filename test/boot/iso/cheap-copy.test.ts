import { execFileSync } from 'node:child_process';
import { appendFileSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { buildSiteIso } from '../../../src/boot/iso/build-site-iso.ts';
import { inspectIso } from '../../../src/boot/iso/inspect-iso.ts';
import { openIsoSource } from '../../../src/boot/iso/iso-source.ts';
import { planSiteIso } from '../../../src/boot/iso/plan-site-iso.ts';
import { makeCoreosIso } from '../../support/coreos-iso.ts';
import { isoHost as host } from '../../support/live-iso.ts';
import { madeUpBytes } from '../../support/made-up-bytes.ts';
import { mountDisk } from '../../support/mounted-disk.ts';
import { canMount } from '../../support/small-disk.ts';
import { tempFolder } from '../../support/temp-folder.ts';
import { haveTools } from '../../support/tools.ts';

const MiB = 1024 * 1024;
const ISO_MIB = 40;
const content = { ignition: Buffer.from('{"ignition":{"version":"3.2.0"}}'), kargs: { append: ['a=1'] } };

/** A live ISO with so much behind its last file that a copy of it shows. */
async function bigIso(folder: string): Promise<string> {
  const path = join(folder, 'live.iso');
  await makeCoreosIso(path);
  const noise = madeUpBytes(MiB);
  for (let size = 0; size < ISO_MIB; size += 1) appendFileSync(path, noise);
  return path;
}

function usedBytes(folder: string): number {
  execFileSync('sync', ['-f', folder]);
  const text = execFileSync('df', ['--output=used', '-B1', folder], { encoding: 'utf8' });
  return Number(text.split('\n')[1]);
}

/** Where a file's bytes are (FIEMAP), and whether other files share them. */
function extentsOf(path: string): { sizeBytes: number; isShared: boolean }[] {
  const text = execFileSync('filefrag', ['-v', '-b1', path], { encoding: 'utf8' });
  const lines = text.matchAll(/^ *\d+: +\d+\.\. *\d+: +\d+\.\. *\d+: +(\d+):(.*)$/gm);
  return [...lines].map(([, size, flags = '']) => ({
    sizeBytes: Number(size),
    isShared: flags.includes('shared'),
  }));
}

it('changes no byte outside the areas', async () => {
  const folder = tempFolder();
  const source = await bigIso(folder);
  const target = join(folder, 'site.iso');
  await buildSiteIso({ ...content, source, target }, host);
  const { regions } = await planSiteIso(await inspectIso(source), content);
  const want = readFileSync(source);
  for (const { offset, bytes } of regions) want.set(bytes, offset);
  expect(readFileSync(target).equals(want)).toBe(true);
});

const onXfs = canMount && haveTools('mkfs.xfs', 'filefrag');
describe.skipIf(!onXfs)(
  `on XFS${onXfs ? '' : ' (SKIPPED: needs root, a loop device, mkfs.xfs and filefrag)'}`,
  () => {
    it('a copy costs its areas, and shares the rest with the source', { timeout: 60_000 }, async () => {
      const folder = mountDisk(['mkfs.xfs', '-q', '-m', 'reflink=1'], 320 * MiB);
      const path = await bigIso(folder);
      const source = await openIsoSource(path);
      const before = usedBytes(folder);
      const sites = 10;
      for (let site = 0; site < sites; site += 1) {
        await buildSiteIso({ ...content, source, target: join(folder, `${site}.iso`) }, host);
      }
      expect((usedBytes(folder) - before) / sites).toBeLessThan(MiB / 2);
      const extents = extentsOf(join(folder, '3.iso'));
      const own = extents.filter(({ isShared }) => !isShared);
      expect(extents.length).toBeGreaterThan(own.length);
      expect(own.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0)).toBeLessThan(MiB / 2);
    });
  },
);

describe.skipIf(!canMount)(`on ext4${canMount ? '' : ' (SKIPPED: needs root and a loop device)'}`, () => {
  it('a copy is a plain one', { timeout: 60_000 }, async () => {
    const folder = mountDisk(['mkfs.ext4', '-q', '-m', '0'], 200 * MiB);
    const source = await bigIso(folder);
    const before = usedBytes(folder);
    await buildSiteIso({ ...content, source, target: join(folder, 'site.iso') }, host);
    expect(usedBytes(folder) - before).toBeGreaterThan(statSync(source).size * 0.99);
  });
});
