import { linkSync, mkdirSync, readdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { describe, expect, it, test } from 'vitest';
import { buildSiteIso, type SiteIsoOptions } from '../../../src/boot/iso/build-site-iso.ts';
import { inspectIso } from '../../../src/boot/iso/inspect-iso.ts';
import { planSiteIso } from '../../../src/boot/iso/plan-site-iso.ts';
import { readIsoIgnition, readIsoKargs } from '../../../src/boot/iso/read-iso.ts';
import { isoHost as host, liveIso } from '../../support/live-iso.ts';
import { madeUpBytes } from '../../support/made-up-bytes.ts';

const ignition = Buffer.from('{"ignition":{"version":"3.2.0"}}');

it('fills an area to its last byte, and says how much is too much', async () => {
  const { source } = await liveIso();
  const { ignition: plan } = await planSiteIso(await inspectIso(source), { ignition: madeUpBytes(5000) });
  const compressedBytes = plan?.compressedBytes ?? 0;
  const exact = await liveIso({ areaBytes: compressedBytes });
  await buildSiteIso({ ...exact, ignition: madeUpBytes(5000) }, host);
  expect(await readIsoIgnition(await inspectIso(exact.target))).toEqual(madeUpBytes(5000));

  const small = await liveIso({ areaBytes: 4000 });
  const built = buildSiteIso({ ...small, ignition: madeUpBytes(5000) }, host);
  await expect(built).rejects.toMatchObject({
    code: 'EMBED_AREA_FULL',
    exitCode: 4,
    place: { file: small.source },
  });
  await expect(built).rejects.toThrow(/: (\d+) bytes with xz, want at most 4000: 1\d\d\d too many/);
  expect(readdirSync(dirname(small.target))).toEqual(['live.iso']);
});

it('fills the kernel arguments to their last byte, and says how much is too much', async () => {
  const { source, target } = await liveIso({ defaultKargs: 'quiet', kargsCapacity: 20 });
  await buildSiteIso({ source, target, kargs: { append: ['thirteen.chrs'] } }, host);
  expect((await readIsoKargs(await inspectIso(target))).current).toBe('quiet thirteen.chrs');
  const built = buildSiteIso({ source, target: `${target}.2`, kargs: { append: ['fourteen.chars'] } }, host);
  await expect(built).rejects.toMatchObject({ code: 'KARGS_AREA_FULL', exitCode: 4 });
  await expect(built).rejects.toThrow(/have 21 bytes with their end mark, want at most 20.*1 too many/);
  expect(readdirSync(dirname(target)).sort()).toEqual(['live.iso', 'site.iso']);
});

describe('what is refused', () => {
  type Built = SiteIsoOptions & { readonly source: string };
  type Row = [string, (iso: { source: string; target: string }) => Promise<Built> | Built, string];
  const occupied = async (iso: { source: string; target: string }, content: Partial<SiteIsoOptions>) => {
    const source = `${iso.source}.occupied`;
    await buildSiteIso({ source: iso.source, target: source, ...content }, host);
    return { ...iso, source };
  };
  const keyfile = (name: string) => ({ name, bytes: Buffer.from('x') });
  const rows: Row[] = [
    [
      'an Ignition of 65 MiB',
      (iso) => ({ ...iso, ignition: Buffer.alloc(65 * 1024 * 1024) }),
      'EMBED_AREA_FULL',
    ],
    ['nothing to put in', (iso) => iso, 'USAGE_INVALID'],
    [
      'an Ignition over another',
      async (iso) => ({ ...(await occupied(iso, { ignition })), ignition }),
      'EMBED_AREA_OCCUPIED',
    ],
    [
      'network files over others',
      async (iso) => ({
        ...(await occupied(iso, { networkFiles: [keyfile('a')] })),
        networkFiles: [keyfile('b')],
      }),
      'EMBED_AREA_OCCUPIED',
    ],
    [
      'arguments over changed ones',
      async (iso) => ({ ...(await occupied(iso, { kargs: { append: ['a'] } })), kargs: { append: ['b'] } }),
      'KARGS_AREA_OCCUPIED',
    ],
    [
      'a network file in another folder',
      (iso) => ({ ...iso, networkFiles: [keyfile('../x')] }),
      'USAGE_INVALID',
    ],
    [
      'a network file twice',
      (iso) => ({ ...iso, networkFiles: [keyfile('x'), keyfile('x')] }),
      'USAGE_INVALID',
    ],
    [
      'the source as target',
      (iso) => ({ ...iso, target: iso.source, ignition, overwrite: true }),
      'USAGE_INVALID',
    ],
    [
      'a second name of the source as target',
      (iso) => {
        linkSync(iso.source, iso.target);
        return { ...iso, ignition, overwrite: true };
      },
      'USAGE_INVALID',
    ],
    [
      'a link to the source as target',
      (iso) => {
        symlinkSync(iso.source, iso.target);
        return { ...iso, ignition, overwrite: true };
      },
      'USAGE_INVALID',
    ],
    [
      'a target that is there',
      (iso) => ({ ...iso, target: import.meta.filename, ignition }),
      'TARGET_EXISTS',
    ],
    [
      'a device as target',
      (iso) => ({ ...iso, target: '/dev/null', ignition, overwrite: true }),
      'TARGET_EXISTS',
    ],
    [
      'a folder as target',
      (iso) => {
        mkdirSync(iso.target);
        return { ...iso, ignition, overwrite: true };
      },
      'TARGET_EXISTS',
    ],
    [
      'a folder that is not there',
      (iso) => ({ ...iso, target: join(iso.target, 'x.iso'), ignition }),
      'FILE_UNREADABLE',
    ],
    [
      'a source that is not there',
      (iso) => ({ ...iso, source: `${iso.source}x`, ignition }),
      'FILE_UNREADABLE',
    ],
  ];
  test.each(rows)('%s', async (_, prepare, code) => {
    const options = await prepare(await liveIso());
    const left = readdirSync(dirname(options.source)).sort();
    const source = code === 'FILE_UNREADABLE' ? undefined : readFileSync(options.source);
    await expect(buildSiteIso(options, host)).rejects.toMatchObject({ code });
    expect(readdirSync(dirname(options.source)).sort()).toEqual(left);
    if (source !== undefined) expect(readFileSync(options.source).equals(source)).toBe(true);
  });

  it('an area with something unknown in it, even with force', async () => {
    const { source, target } = await liveIso();
    const iso = await inspectIso(source);
    const bytes = readFileSync(source);
    bytes.write('something else', iso.ignition.offset);
    writeFileSync(source, bytes);
    const built = buildSiteIso({ source, target, ignition, force: true }, host);
    await expect(built).rejects.toMatchObject({ code: 'CPIO_INVALID' });
    await expect(built).rejects.toThrow(/the Ignition embed area of .*live.iso cannot be read: /);
  });

  it('network files where the live system does not read them', async () => {
    const { source, target } = await liveIso();
    const text = readFileSync(source, 'latin1').replace(
      '"live-initrd-network": true',
      '"live-initrd-networx": true',
    );
    writeFileSync(source, text, 'latin1');
    const built = buildSiteIso({ source, target, networkFiles: [keyfile('x')] }, host);
    await expect(built).rejects.toMatchObject({ code: 'MODE_UNSUPPORTED' });
  });
});
