import { randomBytes } from 'node:crypto';
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { buildSiteIso } from '../../../src/boot/iso/build-site-iso.ts';
import { NETWORK_FOLDER } from '../../../src/boot/iso/initrd.ts';
import { inspectIso } from '../../../src/boot/iso/inspect-iso.ts';
import { editKargs, type KargsEdit } from '../../../src/boot/iso/kargs-text.ts';
import { readIsoIgnition, readIsoInitrd, readIsoKargs } from '../../../src/boot/iso/read-iso.ts';
import { renderKeyfiles } from '../../../src/boot/network/render-keyfiles.ts';
import { coreosInstaller, coreosInstallerSkip, hasCoreosInstaller } from '../../support/coreos-installer.ts';
import { type DemoIsoGeneration, makeCoreosIso } from '../../support/coreos-iso.ts';
import { madeUpBytes } from '../../support/made-up-bytes.ts';
import { tempFolder } from '../../support/temp-folder.ts';
import { NETWORKS } from '../network/shapes.ts';

const host = { randomBytes: (size: number) => randomBytes(size) };
const generations: DemoIsoGeneration[] = ['igninfo-json', 'kargs-json', 'system-area'];
const ignition = Buffer.from('{"ignition":{"version":"3.2.0"},"storage":{"files":[]}}\n');
const noise = madeUpBytes(200_000);

describe.skipIf(!hasCoreosInstaller)(`coreos-installer as judge${coreosInstallerSkip}`, () => {
  describe.each(generations)('%s', (generation) => {
    async function liveIso() {
      const folder = tempFolder();
      const source = join(folder, 'live.iso');
      await makeCoreosIso(source, { generation });
      return { source, target: join(folder, 'site.iso') };
    }

    it('finds the same areas', async () => {
      const { source } = await liveIso();
      const iso = await inspectIso(source);
      const show = (what: string) =>
        JSON.parse(coreosInstaller(['dev', 'show', 'iso', what, source]).toString());
      expect(show('--ignition')).toEqual({ offset: iso.ignition.offset, length: iso.ignition.sizeBytes });
      const offsets = (areas: readonly { offset: number }[] = []) => areas.map(({ offset }) => offset).sort();
      const theirs = show('--kargs');
      expect(theirs).toMatchObject({ length: iso.kargs?.capacityBytes, default: iso.kargs?.default });
      expect(offsets(theirs.kargs)).toEqual(offsets(iso.kargs?.areas));
    });

    it.each([
      ['gzip', ignition],
      ['xz', Buffer.concat([noise, noise])],
    ])('reads what we embed with %s', async (compression, config) => {
      const { source, target } = await liveIso();
      const kargs = { append: ['console=ttyS0,115200n8', 'ip=dhcp'], delete: ['ignition.firstboot'] };
      const receipt = await buildSiteIso({ source, target, ignition: config, kargs }, host);
      expect(receipt.ignition?.compression).toBe(compression);
      expect(coreosInstaller(['iso', 'ignition', 'show', target]).equals(config)).toBe(true);
      expect(coreosInstaller(['iso', 'kargs', 'show', target]).toString()).toBe(`${receipt.kargs?.after}\n`);
      expect(coreosInstaller(['iso', 'kargs', 'show', '--default', target]).toString()).toBe(
        `${receipt.kargs?.before}\n`,
      );
    });

    it('embeds what we read', async () => {
      const { source, target } = await liveIso();
      coreosInstaller(['iso', 'ignition', 'embed', source, '-o', target], ignition);
      coreosInstaller(['iso', 'kargs', 'modify', '-a', 'foo=bar', target]);
      const iso = await inspectIso(target);
      expect(Buffer.from((await readIsoIgnition(iso)) ?? '').equals(ignition)).toBe(true);
      const { current, default: defaults } = await readIsoKargs(iso);
      expect(current).toBe(`${defaults} foo=bar`);
    });

    it('writes the same kernel argument bytes as we do, and takes our changes back', async () => {
      const { source, target } = await liveIso();
      await buildSiteIso({ source, target, ignition, kargs: { append: ['foo=bar'] } }, host);
      const theirs = `${target}.theirs`;
      coreosInstaller(['iso', 'kargs', 'modify', '-a', 'foo=bar', source, '-o', theirs]);
      coreosInstaller(['iso', 'ignition', 'remove', target]);
      expect(readFileSync(target).equals(readFileSync(theirs))).toBe(true);
      coreosInstaller(['iso', 'reset', target]);
      expect(readFileSync(target).equals(readFileSync(source))).toBe(true);
    });

    it.each(NETWORKS)('gives back the keyfiles of a network: %s', async (_, shape) => {
      const { source, target } = await liveIso();
      const keyfiles = renderKeyfiles(shape);
      const networkFiles = keyfiles.map(({ name, text }) => ({ name, bytes: Buffer.from(text) }));
      await buildSiteIso({ source, target, ignition, networkFiles }, host);
      const folder = `${target}.extracted`;
      coreosInstaller(['iso', 'network', 'extract', '-C', folder, target]);
      const extracted = readdirSync(folder).map((name) => ({
        name,
        text: readFileSync(join(folder, name), 'utf8'),
      }));
      const byName = (left: { name: string }, right: { name: string }) => (left.name < right.name ? -1 : 1);
      expect(extracted.sort(byName)).toEqual(keyfiles.toSorted(byName));
      expect(coreosInstaller(['iso', 'ignition', 'show', target]).equals(ignition)).toBe(true);

      // The other way round: what it embeds, of the same names and bytes, is what we read.
      const theirs = `${target}.theirs`;
      const flags = keyfiles.flatMap(({ name }) => ['-k', join(folder, name)]);
      coreosInstaller(['iso', 'network', 'embed', ...flags, source, '-o', theirs]);
      const read = await readIsoInitrd(await inspectIso(theirs));
      expect([...read].map(([path, bytes]) => [path, Buffer.from(bytes).toString()])).toEqual(
        keyfiles.toSorted(byName).map(({ name, text }) => [`${NETWORK_FOLDER}/${name}`, text]),
      );
      coreosInstaller(['iso', 'network', 'remove', target]);
      coreosInstaller(['iso', 'ignition', 'remove', target]);
      expect(readFileSync(target).equals(readFileSync(source))).toBe(true);
    });

    it('exchanges network files', async () => {
      const { source, target } = await liveIso();
      const keyfile = Buffer.from('[connection]\nid=eth0\n');
      const networkFiles = [{ name: 'eth0.nmconnection', bytes: keyfile }];
      await buildSiteIso({ source, target, ignition, networkFiles }, host);
      expect(coreosInstaller(['iso', 'network', 'extract', target]).toString()).toContain(keyfile.toString());
      const theirs = `${target}.theirs`;
      const file = `${target}.nmconnection`;
      writeFileSync(file, keyfile);
      coreosInstaller(['iso', 'network', 'embed', '-k', file, source, '-o', theirs]);
      const files = await readIsoInitrd(await inspectIso(theirs));
      expect([...files.values()].map((bytes) => Buffer.from(bytes).toString())).toEqual([keyfile.toString()]);
    });
  });

  const edits: [string, KargsEdit][] = [
    ['append', { append: ['a=1', 'b'] }],
    ['delete', { delete: ['ignition.firstboot', 'not.there'] }],
    ['delete two in a row', { delete: ['ignition.firstboot ignition.platform.id=metal'] }],
    ['replace', { replace: ['ignition.platform.id=metal=qemu', 'not.there=1=2'] }],
    ['all of them', { append: ['a=1'], delete: ['coreos.liveiso=edgefab-demo'], replace: ['a=1=2'] }],
  ];
  it.each(edits)('edits kernel arguments alike: %s', async (_, edit) => {
    const folder = tempFolder();
    const path = join(folder, 'live.iso');
    await makeCoreosIso(path);
    const { current } = await readIsoKargs(await inspectIso(path));
    const flags = [
      ...(edit.append ?? []).map((argument) => `--append=${argument}`),
      ...(edit.delete ?? []).map((argument) => `--delete=${argument}`),
      ...(edit.replace ?? []).map((argument) => `--replace=${argument}`),
    ];
    coreosInstaller(['iso', 'kargs', 'modify', ...flags, path]);
    expect(coreosInstaller(['iso', 'kargs', 'show', path]).toString()).toBe(`${editKargs(current, edit)}\n`);
  });
});
