import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it, test } from 'vitest';
import { inspectIso } from '../../../src/boot/iso/inspect-iso.ts';
import { readIsoIgnition, readIsoKargs } from '../../../src/boot/iso/read-iso.ts';
import { encodeIso9660 } from '../../../src/formats/iso9660-writer.ts';
import { type DemoIsoGeneration, encodeCoreosIso, makeCoreosIso } from '../../support/coreos-iso.ts';
import { tempFolder } from '../../support/temp-folder.ts';

function write(bytes: Uint8Array): string {
  const path = join(tempFolder(), 'live.iso');
  writeFileSync(path, bytes);
  return path;
}

/** An image of the usual shape, with files replaced; undefined leaves a file out. */
function variant(changes: Record<string, string | Uint8Array | undefined>): string {
  const files: Record<string, string | Uint8Array | undefined> = {
    'images/ignition.img': new Uint8Array(4096),
    'boot/grub.cfg': `linux foo\n${'#'.repeat(90)}`,
    'coreos/igninfo.json': '{"file":"images/ignition.img"}',
    'coreos/kargs.json': '{"default":"foo","size":50,"files":[{"path":"boot/grub.cfg","offset":6}]}',
    'coreos/features.json': '{"live-initrd-network":true}',
    ...changes,
  };
  const sources = Object.entries(files).flatMap(([path, content]) =>
    content === undefined ? [] : [{ path, bytes: Buffer.from(content) }],
  );
  return write(encodeIso9660({ volumeId: 'variant', files: sources }).bytes);
}

describe('generations', () => {
  test.each<DemoIsoGeneration>(['igninfo-json', 'kargs-json', 'system-area'])('%s', async (generation) => {
    const path = join(tempFolder(), 'live.iso');
    await makeCoreosIso(path, {
      generation,
      areaBytes: 8192,
      kargsCapacity: 100,
      defaultKargs: 'quiet foo=1',
    });
    const iso = await inspectIso(path);
    expect(iso).toMatchObject({
      path,
      generation,
      volumeId: 'edgefab-demo',
      ignition: { file: 'images/ignition.img', sizeBytes: 8192 },
      kargs: { default: 'quiet foo=1', capacityBytes: 100, areas: [{ end: '\n', pad: '#' }, {}] },
      features: { installerConfig: true, installerDirectives: ['save-partlabel'], liveInitrdNetwork: true },
    });
    expect(await readIsoIgnition(iso)).toBeUndefined();
    expect(await readIsoKargs(iso)).toEqual({ current: 'quiet foo=1', default: 'quiet foo=1' });
  });

  it('without any kernel argument area', async () => {
    const iso = await inspectIso(
      variant({ 'coreos/igninfo.json': undefined, 'coreos/kargs.json': undefined }),
    );
    expect(iso.generation).toBe('ignition-img');
    expect(iso.kargs).toBeUndefined();
    await expect(readIsoKargs(iso)).rejects.toMatchObject({ code: 'EMBED_AREA_MISSING' });
  });

  it('without features.json', async () => {
    const { features } = await inspectIso(variant({ 'coreos/features.json': undefined }));
    expect(features).toEqual({ installerConfig: false, installerDirectives: [], liveInitrdNetwork: false });
  });

  it('an Ignition area that is part of a file (s390x)', async () => {
    const whole = await inspectIso(variant({}));
    const part = variant({
      'coreos/igninfo.json': '{"file":"images/ignition.img","offset":100,"length":200}',
    });
    expect((await inspectIso(part)).ignition).toEqual({
      foundBy: 'igninfo-json',
      file: 'images/ignition.img',
      offset: whole.ignition.offset + 100,
      sizeBytes: 200,
    });
    const tail = variant({ 'coreos/igninfo.json': '{"file":"images/ignition.img","offset":96}' });
    expect((await inspectIso(tail)).ignition.sizeBytes).toBe(4000);
  });

  it('kernel arguments ended and padded with NUL (s390x)', async () => {
    const iso = await inspectIso(
      variant({
        'boot/grub.cfg': Buffer.concat([Buffer.from('foo bar'), Buffer.alloc(93)]),
        'coreos/kargs.json':
          '{"default":"foo","size":50,"files":[{"path":"boot/grub.cfg","offset":0,"pad":"\\u0000","end":"\\u0000"}]}',
      }),
    );
    expect(await readIsoKargs(iso)).toEqual({ current: 'foo bar', default: 'foo' });
  });
});

describe('images that are refused', () => {
  const kargs = (text: string) => ({ 'coreos/kargs.json': text });
  const igninfo = (text: string) => ({ 'coreos/igninfo.json': text });
  const place = '{"path":"boot/grub.cfg","offset":6}';
  const rows: [string, Record<string, string | undefined>, string, RegExp][] = [
    [
      'an ISO of something else',
      { 'images/ignition.img': undefined, ...igninfo('{}'), 'coreos/igninfo.json': undefined },
      'EMBED_AREA_MISSING',
      /volume "variant"\) has no Ignition embed area: neither \/coreos\/igninfo.json nor/,
    ],
    [
      'an area file that is not there',
      igninfo('{"file":"x.img"}'),
      'EMBED_AREA_MISSING',
      /names \/x.img, which is not there/,
    ],
    ['igninfo that is not JSON', igninfo('{'), 'ISO_INVALID', /igninfo.json in .* it is not JSON/],
    ['igninfo of another shape', igninfo('{"file":7}'), 'ISO_INVALID', /file: /],
    [
      'an area behind its file',
      igninfo('{"file":"images/ignition.img","offset":4000,"length":97}'),
      'ISO_INVALID',
      /97 bytes at 4000/,
    ],
    [
      'an area of nothing',
      igninfo('{"file":"images/ignition.img","length":0}'),
      'ISO_INVALID',
      /0 bytes at 0/,
    ],
    ['a negative offset', igninfo('{"file":"images/ignition.img","offset":-1}'), 'ISO_INVALID', /offset: /],
    ['a path without end', igninfo(`{"file":"${'a/'.repeat(50)}x"}`), 'ISO_INVALID', /levels/],
    [
      'a JSON of a megabyte',
      kargs(' '.repeat(1_000_000)),
      'ISO_INVALID',
      /1000000 bytes, want at most 65536/,
    ],
    ['kargs without files', kargs('{"default":"foo","size":50,"files":[]}'), 'ISO_INVALID', /files: /],
    [
      'kargs larger than coreos-installer takes',
      kargs(`{"default":"foo","size":4096,"files":[${place}]}`),
      'ISO_INVALID',
      /4096 bytes each, want 1 to 2048/,
    ],
    [
      'defaults larger than their area',
      kargs(`{"default":"foobar","size":5,"files":[${place}]}`),
      'ISO_INVALID',
      /6 bytes, want at most 5/,
    ],
    [
      'kargs in a file that is not there',
      kargs('{"default":"","size":5,"files":[{"path":"x","offset":6}]}'),
      'ISO_INVALID',
      /names \/x, which/,
    ],
    [
      'kargs behind their file',
      kargs(`{"default":"","size":95,"files":[${place}]}`),
      'ISO_INVALID',
      /ends at 101 in \/boot\/grub.cfg, want at most 100/,
    ],
    [
      'padding of two characters',
      kargs('{"default":"","size":5,"files":[{"path":"boot/grub.cfg","offset":6,"pad":"##"}]}'),
      'ISO_INVALID',
      /one ASCII character/,
    ],
    [
      'padding of two bytes',
      kargs('{"default":"","size":5,"files":[{"path":"boot/grub.cfg","offset":6,"pad":"ä"}]}'),
      'ISO_INVALID',
      /one ASCII character/,
    ],
    [
      'areas that overlap',
      kargs(`{"default":"","size":5,"files":[${place},{"path":"boot/grub.cfg","offset":10}]}`),
      'ISO_INVALID',
      /overlap/,
    ],
    [
      'kargs inside the Ignition area',
      kargs('{"default":"","size":5,"files":[{"path":"images/ignition.img","offset":0}]}'),
      'ISO_INVALID',
      /overlap/,
    ],
    ['features of another shape', { 'coreos/features.json': '[]' }, 'ISO_INVALID', /features.json/],
  ];
  test.each(rows)('%s', async (_, changes, code, message) => {
    const path = variant(changes);
    await expect(inspectIso(path)).rejects.toMatchObject({ code, place: { file: path } });
    await expect(inspectIso(path)).rejects.toThrow(message);
  });

  it('copies of the kernel arguments that differ', async () => {
    const iso = await inspectIso(
      variant({
        'boot/other.cfg': `linux bar\n${'#'.repeat(90)}`,
        ...kargs(`{"default":"foo","size":50,"files":[${place},{"path":"boot/other.cfg","offset":6}]}`),
      }),
    );
    await expect(readIsoKargs(iso)).rejects.toThrow(/differ: \/boot\/other.cfg has "bar", want "foo"/);
  });

  it('legacy headers that point nowhere', async () => {
    const HEADER = 32768 - 24 - 72;
    const damage = async (at: number, value: bigint) => {
      const image = Buffer.from(encodeCoreosIso({ generation: 'system-area' }));
      image.writeBigUInt64LE(value, HEADER + at);
      return inspectIso(write(image));
    };
    await expect(damage(8, 1n << 40n)).rejects.toThrow(/bytes each, want 1 to 2048/);
    await expect(damage(16, 0n)).rejects.toThrow(/no offset for the default/);
    await expect(damage(16, 1n << 62n)).rejects.toThrow(/an area ends at/);
    await expect(damage(24, 0n)).rejects.toThrow(/names no area/);
    await expect(damage(24, 0xffff_ffff_ffff_ffffn)).rejects.toMatchObject({ code: 'ISO_INVALID' });
  });

  it('a header of 2019 that points nowhere', async () => {
    const HEADER = 32768 - 24;
    const damage = async (at: number, value: bigint) => {
      const image = Buffer.from(encodeCoreosIso({ generation: 'initramfs-tail' }));
      image.writeBigUInt64LE(value, HEADER + at);
      return inspectIso(write(image));
    };
    await expect(damage(0, 0n)).rejects.toMatchObject({ code: 'EMBED_AREA_MISSING' });
    await expect(damage(8, 1n << 40n)).rejects.toThrow(/262144 bytes at 1099511627776 in the image/);
    await expect(damage(16, 0n)).rejects.toThrow(/0 bytes at/);
    await expect(damage(16, 0xffff_ffff_ffff_ffffn)).rejects.toMatchObject({ code: 'ISO_INVALID' });
    // Bytes that belong to no file are an area all the same.
    const { ignition } = await damage(16, 262_145n);
    expect(ignition).toMatchObject({ foundBy: 'system-area', file: `offset ${ignition.offset}` });
  });

  it('the header beside the file it tells of is not looked at', async () => {
    const image = Buffer.from(encodeCoreosIso({ generation: 'kargs-json-and-headers' }));
    image.writeBigUInt64LE(12n, 32768 - 16);
    expect((await inspectIso(write(image))).ignition).toMatchObject({
      foundBy: 'ignition-img',
      sizeBytes: 262_144,
    });
  });

  it('what is no image at all', async () => {
    const folder = tempFolder();
    const empty = join(folder, 'empty.iso');
    writeFileSync(empty, '');
    await expect(inspectIso(empty)).rejects.toMatchObject({ code: 'ISO_INVALID', place: { file: empty } });
    await expect(inspectIso(write(Buffer.from('<html>404</html>\n')))).rejects.toThrow(
      /cannot be read as a live ISO/,
    );
    await expect(inspectIso(join(folder, 'none.iso'))).rejects.toMatchObject({ code: 'FILE_UNREADABLE' });
    await expect(inspectIso(folder)).rejects.toThrow(/not a regular file/);
    const cut = Buffer.from(encodeCoreosIso()).subarray(0, 200_000);
    await expect(inspectIso(write(cut))).rejects.toThrow(/cut short: got 200000 bytes, want 335872/);
  });
});

describe('the made-up image', () => {
  it('is the same each time, small, and says what it is', () => {
    const image = Buffer.from(encodeCoreosIso());
    expect(Buffer.from(encodeCoreosIso())).toEqual(image);
    expect(image.length).toBeLessThan(2 * 1024 * 1024);
    expect(image.includes('made up by edgefab')).toBe(true);
  });

  it('refuses defaults that do not fit', () => {
    expect(() => encodeCoreosIso({ kargsCapacity: 10, defaultKargs: 'ten bytes.' })).toThrow(
      expect.objectContaining({ code: 'KARGS_AREA_FULL' }),
    );
  });
});
