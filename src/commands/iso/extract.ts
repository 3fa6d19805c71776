import { join } from 'node:path';
import { Args, Flags } from '@oclif/core';
import { type ExtractedPiece, findPieces, isFolderPart, listIsoFiles } from '../../boot/iso/extract-iso.ts';
import { refuseUnfinished } from '../../boot/iso/iso-source.ts';
import { openImage, type ReadableImage } from '../../boot/iso/open-image.ts';
import { refuseTarget } from '../../boot/iso/refuse-target.ts';
import { makePieceFolder, pieceChunks, writePiece } from '../../boot/iso/write-piece.ts';
import { EdgefabError, hasCode } from '../../errors.ts';
import { realHost } from '../../host/real-host.ts';
import { EdgefabCommand } from '../terminal/edgefab-command.ts';
import { tableLines } from '../terminal/table.ts';

export default class IsoExtract extends EdgefabCommand {
  static override summary =
    'Get the Ignition config, kernel arguments, network files or any file out of a live ISO';
  static override description =
    'WHAT is ignition, kargs, network (all keyfiles), area (the Ignition area as it is), pxe (kernel, initramfs and root ' +
    'file system), or the path of a file in the ISO. network and pxe are several files and go into a folder. Files that ' +
    'may hold secrets are written for their owner only. The ISO itself cannot come from stdin.';
  static override examples = [
    '<%= config.bin %> iso extract bip.iso ignition -o bip.ign',
    '<%= config.bin %> iso extract bip.iso network -o keyfiles',
    '<%= config.bin %> iso extract rhcos-live.iso coreos/features.json',
    '<%= config.bin %> iso extract rhcos-live.iso --list',
  ];
  static override args = {
    iso: Args.string({ description: 'a CoreOS live ISO, plain or built', required: true }),
    what: Args.string({ description: 'ignition, kargs, network, area, pxe, or a path in the ISO' }),
  };
  static override flags = {
    output: Flags.string({
      char: 'o',
      description: 'file or folder to write; - is stdout, the default for one file',
    }),
    list: Flags.boolean({ description: 'list all files of the ISO instead' }),
    force: Flags.boolean({ description: 'replace files that exist' }),
  };

  async run(): Promise<unknown> {
    const { args, flags } = await this.parse(IsoExtract);
    this.begin(flags);
    await refuseUnfinished(args.iso);
    await using image = await openImage(args.iso);
    if (flags.list) return await this.#list(image, args.what ?? flags.output);
    if (args.what === undefined) {
      throw usage('nothing is named to be taken out', [
        'Name ignition, kargs, network, area, pxe or a path; --list lists the paths',
      ]);
    }
    const pieces = await findPieces(image, args.what);
    const written = isFolderPart(args.what)
      ? await this.#toFolder(image, pieces, flags.output, flags.force)
      : await this.#toFile(image, pieces, flags.output, flags.force);
    return { kind: 'IsoExtract', iso: args.iso, what: args.what, files: written };
  }

  async #list(image: ReadableImage, extra: string | undefined): Promise<unknown> {
    if (extra !== undefined)
      throw usage(`--list takes out nothing: ${extra} is too much`, ['Leave it out, or --list']);
    const files = await listIsoFiles(image);
    const rows = files.map(({ path, sizeBytes }) => [String(sizeBytes), path]);
    for (const line of tableLines(['bytes', 'path'], rows)) this.print(line);
    return { kind: 'IsoFiles', iso: image.path, files };
  }

  async #toFolder(
    image: ReadableImage,
    pieces: readonly ExtractedPiece[],
    folder: string | undefined,
    overwrite: boolean,
  ) {
    if (folder === undefined || folder === '-') {
      const names = pieces.map(({ name }) => name).join(', ');
      throw usage(`${pieces.length} files are to be written, not one: ${names}`, ['Name a folder with -o']);
    }
    // All names before the first byte: a folder is not left half replaced for want of --force.
    for (const { name } of pieces) await refuseTarget(join(folder, name), image.path, overwrite);
    await makePieceFolder(
      folder,
      pieces.some(({ secret }) => secret),
    );
    return await this.#write(
      image,
      pieces.map((piece) => [piece, join(folder, piece.name)]),
      overwrite,
    );
  }

  async #toFile(
    image: ReadableImage,
    pieces: readonly ExtractedPiece[],
    output: string | undefined,
    overwrite: boolean,
  ) {
    if (output !== undefined && output !== '-') {
      await refuseTarget(output, image.path, overwrite);
      return await this.#write(
        image,
        pieces.map((piece) => [piece, output]),
        overwrite,
      );
    }
    if (this.jsonEnabled()) {
      throw usage('--json takes stdout, where the file would go', ['Name a file with -o']);
    }
    for (const piece of pieces) {
      for await (const bytes of pieceChunks(image, piece)) {
        this.signal.throwIfAborted();
        if (!(await writeOut(bytes))) break;
      }
    }
    return pieces.map(({ name, sizeBytes }) => ({ name, sizeBytes, path: null }));
  }

  async #write(
    image: ReadableImage,
    pieces: readonly (readonly [ExtractedPiece, string])[],
    overwrite: boolean,
  ) {
    for (const [piece, target] of pieces) {
      this.signal.throwIfAborted();
      await writePiece(image, piece, { target, overwrite }, realHost);
      this.print(`${target}: ${piece.sizeBytes} bytes`);
    }
    return pieces.map(([{ name, sizeBytes }, path]) => ({ name, sizeBytes, path }));
  }
}

/** Writes to stdout; false when its reader has gone, as `head` does, which is no fault. */
function writeOut(bytes: Uint8Array): Promise<boolean> {
  return new Promise((done, failed) => {
    const { stdout } = process;
    // The same error comes here as an event, which without a listener ends the process.
    const ignore = (): void => undefined;
    stdout.once('error', ignore);
    stdout.write(bytes, (error) => {
      if (hasCode(error, 'EPIPE')) done(false);
      else if (error) failed(error);
      else {
        stdout.off('error', ignore);
        done(true);
      }
    });
  });
}

function usage(message: string, suggestions: string[]): EdgefabError {
  return new EdgefabError(message, { code: 'USAGE_INVALID', suggestions });
}
