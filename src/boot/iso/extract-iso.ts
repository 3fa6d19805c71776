import { EdgefabError } from '../../errors.ts';
import { type IsoFile, readIso9660 } from '../../formats/iso9660.ts';
import { decodeInitrd, IGNITION_PATH, NETWORK_FOLDER } from './initrd.ts';
import { inspectImage } from './inspect-iso.ts';
import type { IsoImage } from './iso-image.ts';
import type { ReadableImage } from './open-image.ts';
import { readIgnitionArea, readKargsFrom } from './read-iso.ts';

/** Parts of an ISO that have a name of their own; everything else is a path. */
export const ISO_PARTS = ['ignition', 'kargs', 'network', 'area', 'pxe'] as const;
export type IsoPart = (typeof ISO_PARTS)[number];

/** Something to be taken out: bytes that were read, or a span of the image. `name` is one plain file name. */
export interface ExtractedPiece {
  readonly name: string;
  readonly sizeBytes: number;
  /** Keys and pull secrets may be in it: it is kept from others. */
  readonly secret: boolean;
  readonly content: Uint8Array | { readonly offset: number };
}

/** One file of an image, as `--list` shows it. */
export interface ListedFile {
  readonly path: string;
  readonly sizeBytes: number;
  readonly secret: boolean;
}

const LIST = 'edgefab iso extract ISO --list says what there is';
const PXE_FOLDER = 'images/pxeboot/';

function notThere(image: ReadableImage, what: string, suggestion: string): EdgefabError {
  return new EdgefabError(`ISO ${image.path} has no ${what}`, {
    code: 'USAGE_INVALID',
    place: { file: image.path },
    suggestions: [suggestion],
  });
}

/** Names come out of the image: one that leads elsewhere, or plays with a terminal, is never used. */
function plainName(image: ReadableImage, name: string): string {
  if (name !== '' && name !== '.' && name !== '..' && !/[/\\\p{Cc}]/u.test(name)) return name;
  throw new EdgefabError(
    `ISO ${image.path} holds a file named ${JSON.stringify(name)}, which is no plain name`,
    {
      code: 'ISO_INVALID',
      place: { file: image.path },
      suggestions: ['Do not trust this image; start from the ISO as downloaded'],
    },
  );
}

function inMemory(name: string, bytes: Uint8Array): ExtractedPiece {
  return { name, sizeBytes: bytes.length, secret: true, content: bytes };
}

function touchesArea({ offset, sizeBytes }: Omit<IsoFile, 'path'>, { ignition }: IsoImage): boolean {
  return offset < ignition.offset + ignition.sizeBytes && ignition.offset < offset + sizeBytes;
}

async function embeddedPieces(
  image: ReadableImage,
  iso: IsoImage,
  part: 'ignition' | 'network',
): Promise<ExtractedPiece[]> {
  const files = await decodeInitrd(
    await readIgnitionArea(image, iso),
    `the Ignition embed area of ${image.path}`,
  );
  if (part === 'ignition') {
    const config = files.get(IGNITION_PATH);
    if (config === undefined) {
      throw notThere(image, 'Ignition config embedded', 'Embed one with edgefab iso embed');
    }
    return [inMemory('config.ign', config)];
  }
  const folder = `${NETWORK_FOLDER}/`;
  const network = [...files].filter(([path]) => path.startsWith(folder));
  if (network.length === 0) {
    throw notThere(image, 'network files embedded', 'edgefab iso show lists what is embedded');
  }
  return network.map(([path, bytes]) => inMemory(plainName(image, path.slice(folder.length)), bytes));
}

async function pxePieces(image: ReadableImage, iso: IsoImage): Promise<ExtractedPiece[]> {
  const volume = await readIso9660(image.readAt, image.sizeBytes);
  const all = await volume.listFiles();
  const files = all.filter(({ path }) => path.toLowerCase().startsWith(PXE_FOLDER));
  if (files.length === 0) throw notThere(image, `files in /${PXE_FOLDER}`, LIST);
  return await Promise.all(
    files.map(
      async ({ path }) => await filePiece(image, iso, path, path.slice(PXE_FOLDER.length).toLowerCase()),
    ),
  );
}

async function filePiece(
  image: ReadableImage,
  iso: IsoImage,
  path: string,
  name: string,
): Promise<ExtractedPiece> {
  const volume = await readIso9660(image.readAt, image.sizeBytes);
  const file = await volume.findFile(path);
  if (file === undefined) {
    throw notThere(image, `file /${path.replace(/^\/+/, '')}`, LIST);
  }
  const { offset, sizeBytes } = file;
  return {
    name: plainName(image, name),
    sizeBytes,
    secret: touchesArea(file, iso),
    content: { offset },
  };
}

/** Tells whether what a user named is a part; a path has a slash, or is none of the parts' names. */
function isIsoPart(what: string): what is IsoPart {
  return (ISO_PARTS as readonly string[]).includes(what);
}

/** Tells whether a part is several files, which go into a folder. */
export function isFolderPart(what: string): boolean {
  return what === 'network' || what === 'pxe';
}

/**
 * Finds what is to be taken out of an image: the parts `ignition`, `kargs`, `network` (all keyfiles), `area` (the whole
 * Ignition area as it is), `pxe` (kernel, initramfs and root file system), or a file by its path. Nothing large is read.
 * Throws USAGE_INVALID when it is not there, ISO_INVALID, EMBED_AREA_MISSING, CPIO_INVALID.
 */
export async function findPieces(image: ReadableImage, what: string): Promise<ExtractedPiece[]> {
  const iso = await inspectImage(image);
  if (!isIsoPart(what)) {
    const name = what.split('/').findLast((component) => component !== '') ?? '';
    return [await filePiece(image, iso, what, name)];
  }
  switch (what) {
    case 'ignition':
    case 'network':
      return await embeddedPieces(image, iso, what);
    case 'kargs': {
      const { current } = await readKargsFrom(image, iso);
      return [inMemory('kargs.txt', Buffer.from(`${current}\n`))];
    }
    case 'area': {
      const { offset, sizeBytes } = iso.ignition;
      return [{ name: 'ignition.img', sizeBytes, secret: true, content: { offset } }];
    }
    case 'pxe':
      return await pxePieces(image, iso);
    default:
      return what satisfies never;
  }
}

/** Lists all files of an image, sorted by path; `secret` are those that hold the Ignition area. */
export async function listIsoFiles(image: ReadableImage): Promise<ListedFile[]> {
  const iso = await inspectImage(image);
  const volume = await readIso9660(image.readAt, image.sizeBytes);
  const files = await volume.listFiles();
  return files.map(({ path, offset, sizeBytes }) => ({
    path,
    sizeBytes,
    secret: touchesArea({ offset, sizeBytes }, iso),
  }));
}
