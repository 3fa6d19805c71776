import {
  chmodSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { dirname, join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { describe, expect, it, test } from 'vitest';
import { buildSiteIso } from '../../../src/boot/iso/build-site-iso.ts';
import { type ExtractedPiece, findPieces, listIsoFiles } from '../../../src/boot/iso/extract-iso.ts';
import { encodeInitrd, NETWORK_FOLDER } from '../../../src/boot/iso/initrd.ts';
import { inspectIso } from '../../../src/boot/iso/inspect-iso.ts';
import { openImage } from '../../../src/boot/iso/open-image.ts';
import { makePieceFolder, pieceChunks, writePiece } from '../../../src/boot/iso/write-piece.ts';
import { isoHost, liveIso } from '../../support/live-iso.ts';
import { tempFolder } from '../../support/temp-folder.ts';

const CONFIG = Buffer.from('{"ignition":{"version":"3.2.0"}}');
const KEYFILE = { name: 'eno1.nmconnection', bytes: Buffer.from('[connection]\nid=eno1\n') };

async function siteIso(): Promise<string> {
  const { source, target } = await liveIso();
  const content = { ignition: CONFIG, networkFiles: [KEYFILE], kargs: { append: ['foo=bar'] } };
  await buildSiteIso({ source, target, ...content }, isoHost);
  return target;
}

async function textOf(path: string, piece: ExtractedPiece): Promise<string> {
  await using image = await openImage(path);
  const chunks: Uint8Array[] = [];
  for await (const bytes of pieceChunks(image, piece)) chunks.push(bytes);
  return Buffer.concat(chunks).toString('latin1');
}

async function pieces(path: string, what: string): Promise<ExtractedPiece[]> {
  await using image = await openImage(path);
  return await findPieces(image, what);
}

describe('what is taken out', () => {
  const rows: [string, [name: string, secret: boolean, start: string][]][] = [
    ['ignition', [['config.ign', true, CONFIG.toString()]]],
    ['network', [['eno1.nmconnection', true, '[connection]\nid=eno1\n']]],
    ['kargs', [['kargs.txt', true, 'coreos.liveiso=edgefab-demo ']]],
    ['area', [['ignition.img', true, '\x1f\x8b']]],
    [
      'pxe',
      [
        ['initrd.img', false, 'Not a initrd.img.'],
        ['rootfs.img', false, 'Not a rootfs.img.'],
        ['vmlinuz', false, 'Not a vmlinuz.'],
      ],
    ],
    ['images/ignition.img', [['ignition.img', true, '\x1f\x8b']]],
    ['/coreos/features.json', [['features.json', false, '{\n  "installer-config": true,']]],
    ['COREOS/KARGS.JSO', [['KARGS.JSO', false, '{\n  "default": "coreos.liveiso=']]],
  ];
  test.each(rows)('%s', async (what, want) => {
    const path = await siteIso();
    const found = await pieces(path, what);
    expect(found.map(({ name, secret }) => [name, secret])).toEqual(
      want.map(([name, secret]) => [name, secret]),
    );
    for (const [index, piece] of found.entries()) {
      const text = await textOf(path, piece);
      expect(text.length).toBe(piece.sizeBytes);
      expect(text.startsWith(want[index]?.[2] ?? '-')).toBe(true);
    }
  });

  it('the Ignition area of s390x is in a file that is kept from others', async () => {
    const { source } = await liveIso({ architecture: 's390x' });
    expect(await pieces(source, 'images/cdboot.img')).toMatchObject([{ secret: true }]);
    await using image = await openImage(source);
    const secret = (await listIsoFiles(image)).filter((file) => file.secret).map(({ path }) => path);
    expect(secret).toEqual(['IMAGES/CDBOOT.IMG']);
  });
});

describe('what is not there', () => {
  test.each([
    ['ignition', /no Ignition config embedded/],
    ['network', /no network files embedded/],
    ['coreos/nothing', /no file \/coreos\/nothing/],
    ['images', /no file \/images/],
    ['/', /no file \//],
    ['../../etc/passwd', /no file/],
  ])('%s', async (what, message) => {
    const { source } = await liveIso();
    await expect(pieces(source, what)).rejects.toMatchObject({
      code: 'USAGE_INVALID',
      message: expect.stringMatching(message),
      suggestions: [expect.any(String)],
    });
  });

  it('kernel arguments of an image without', async () => {
    const { source } = await liveIso({ generation: 'ignition-header' });
    await expect(pieces(source, 'kargs')).rejects.toMatchObject({ code: 'EMBED_AREA_MISSING' });
  });

  it('an ISO on stdin', async () => {
    await expect(openImage('-')).rejects.toMatchObject({
      code: 'USAGE_INVALID',
      message: expect.stringContaining('cannot be read from stdin'),
    });
  });
});

test.each(['../x', '/etc/passwd', 'a/b', '..', '\x1b[2J', 'a\\b'])(
  'a network file named %j never gets out',
  async (name) => {
    const { source } = await liveIso();
    const { ignition } = await inspectIso(source);
    const bytes = readFileSync(source);
    const archive = encodeInitrd([{ path: `${NETWORK_FOLDER}/${name}`, bytes: KEYFILE.bytes }]);
    bytes.set(gzipSync(archive), ignition.offset);
    writeFileSync(source, bytes);
    await expect(pieces(source, 'network')).rejects.toMatchObject({
      code: 'ISO_INVALID',
      message: expect.stringContaining('no plain name'),
    });
  },
);

describe('files that are written', () => {
  const write = async (path: string, what: string, target: string, overwrite = false): Promise<void> => {
    await using image = await openImage(path);
    for (const piece of await findPieces(image, what)) {
      await writePiece(image, piece, { target, overwrite }, isoHost);
    }
  };

  test.each([
    ['ignition', 0o600],
    ['area', 0o600],
    ['coreos/features.json', 0o644],
  ])('%s has mode %o, and nothing else is left', async (what, mode) => {
    const target = join(tempFolder(), 'out');
    await write(await siteIso(), what, target);
    expect(statSync(target).mode & 0o777).toBe(mode & ~process.umask());
    expect(readdirSync(dirname(target))).toEqual(['out']);
  });

  it('replace nothing, but when told', async () => {
    const path = await siteIso();
    const target = join(tempFolder(), 'out');
    writeFileSync(target, 'mine');
    await expect(write(path, 'ignition', target)).rejects.toMatchObject({ code: 'TARGET_EXISTS' });
    expect(readFileSync(target, 'utf8')).toBe('mine');
    expect(readdirSync(dirname(target))).toEqual(['out']);
    chmodSync(target, 0o644);
    await write(path, 'ignition', target, true);
    expect(readFileSync(target)).toEqual(CONFIG);
    expect(statSync(target).mode & 0o777).toBe(0o600);
  });

  it('say so where they cannot be', async () => {
    const target = join(tempFolder(), 'none', 'out');
    await expect(write(await siteIso(), 'ignition', target)).rejects.toMatchObject({
      code: 'FILE_UNREADABLE',
    });
    expect(existsSync(target)).toBe(false);
  });

  it('end with the image: a span behind it is refused, and no half file stays', async () => {
    const path = await siteIso();
    const target = join(tempFolder(), 'out');
    await using image = await openImage(path);
    const piece = { name: 'x', sizeBytes: 4096, secret: false, content: { offset: image.sizeBytes - 100 } };
    await expect(writePiece(image, piece, { target, overwrite: false }, isoHost)).rejects.toMatchObject({
      code: 'ISO_INVALID',
      message: expect.stringContaining('has 100 bytes in the image, want 4096'),
    });
    expect(readdirSync(dirname(target))).toEqual([]);
  });

  it('in a folder for the owner only, where they are secrets', async () => {
    const [secret, plain] = [join(tempFolder(), 'a'), join(tempFolder(), 'b/c')];
    await makePieceFolder(secret, true);
    await makePieceFolder(plain, false);
    expect(statSync(secret).mode & 0o777).toBe(0o700);
    expect(statSync(plain).mode & 0o777).toBe(0o755 & ~process.umask());
    // A folder that is there keeps its mode.
    const own = join(tempFolder(), 'own');
    mkdirSync(own, { mode: 0o755 });
    await makePieceFolder(own, true);
    expect(statSync(own).mode & 0o777).toBe(0o755 & ~process.umask());
    const file = join(tempFolder(), 'file');
    writeFileSync(file, '');
    await expect(makePieceFolder(file, false)).rejects.toMatchObject({ code: 'FILE_UNREADABLE' });
  });
});
