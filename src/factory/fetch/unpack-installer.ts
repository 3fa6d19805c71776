import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { type FileHandle, open, rename, rm } from 'node:fs/promises';
import { dirname } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { createGunzip } from 'node:zlib';
import { assertSpace } from '../../disk/cache/folder-space.ts';
import { EdgefabError } from '../../errors.ts';
import { type TarEntry, TarLayerReader, type TarSink } from '../../formats/tar-layer.ts';
import { asDiskFault } from '../../mirror/store/disk-fault.ts';
import { syncFolder } from '../../mirror/store/write-file-durably.ts';
import { type Digest, parseDigest } from '../../oci/digest.ts';

export interface UnpackLimits {
  /** Of the program; real ones have some 700 MB. */
  readonly maxProgramBytes: number;
  /** Of everything in the archive, unpacked. */
  readonly maxArchiveBytes: number;
}

const USUAL_LIMITS: UnpackLimits = { maxProgramBytes: 4 * 1024 ** 3, maxArchiveBytes: 6 * 1024 ** 3 };

/** The one member that is taken out; nothing else of an archive reaches the disk. */
const MEMBER = 'openshift-install';
const MODE = 0o755;

/**
 * Unpacks `openshift-install` out of a .tar.gz to `path`, mode 0755, flushed, the name last. `beforeName` is told
 * the program's digest before that. Throws TAR_INVALID for what is no such archive, for a member that is a link
 * or too large, and for two of them; SPACE_SHORT before the first byte is written, DISK_FULL, DISK_FAILED.
 */
export async function unpackInstaller(
  archive: string,
  path: string,
  signal: AbortSignal,
  beforeName: (digest: Digest) => Promise<void>,
  limits: UnpackLimits = USUAL_LIMITS,
): Promise<Digest> {
  const temporary = `${path}.unpacking`;
  const member = new Member(archive, limits);
  try {
    await rm(temporary, { force: true });
    await writeMember(archive, temporary, member, signal, limits);
    const digest = member.finish();
    await beforeName(digest);
    await rename(temporary, path);
    await syncFolder(dirname(path));
    return digest;
  } catch (error) {
    await rm(temporary, { force: true });
    if (signal.aborted) throw signal.reason;
    throw error;
  }
}

async function writeMember(
  archive: string,
  temporary: string,
  member: Member,
  signal: AbortSignal,
  limits: UnpackLimits,
): Promise<void> {
  const reader = new TarLayerReader(archive, (entry) => member.visit(entry));
  let unpackedBytes = 0;
  let file: FileHandle | undefined;
  try {
    await pipeline(
      createReadStream(archive),
      createGunzip(),
      async (blocks: AsyncIterable<Buffer>) => {
        for await (const block of blocks) {
          unpackedBytes += block.length;
          if (unpackedBytes > limits.maxArchiveBytes)
            throw invalid(archive, `unpacks to more than ${limits.maxArchiveBytes} bytes`);
          reader.push(block);
          if (member.sizeBytes === undefined) continue;
          if (file === undefined) {
            await assertSpace(dirname(temporary), member.sizeBytes);
            file = await open(temporary, 'wx', 0o600);
          }
          for (const part of member.take()) await file.writeFile(part);
        }
        reader.finish();
      },
      { signal },
    );
    await file?.chmod(MODE);
    await file?.sync();
  } catch (error) {
    if (error instanceof EdgefabError || signal.aborted) throw error;
    throw isZlibFault(error)
      ? invalid(archive, 'is no gzip archive, or is cut short', error)
      : asDiskFault(error, temporary);
  } finally {
    await file?.close();
  }
}

function isZlibFault(error: unknown): error is Error {
  return error instanceof Error && 'code' in error && /^Z_/.test(String(error.code));
}

function invalid(archive: string, what: string, cause?: unknown): EdgefabError {
  return new EdgefabError(`${archive} ${what}`, {
    code: 'TAR_INVALID',
    place: { file: archive },
    suggestions: ['Its checksum is right, so its publisher made it so: do not use it'],
    ...(cause === undefined ? {} : { cause }),
  });
}

/** The program on its way out of the archive: its bytes wait here until they are taken, a block at a time. */
class Member {
  readonly #archive: string;
  readonly #limits: UnpackLimits;
  readonly #hash = createHash('sha256');
  readonly #waiting: Buffer[] = [];
  #sizeBytes: number | undefined;

  constructor(archive: string, limits: UnpackLimits) {
    this.#archive = archive;
    this.#limits = limits;
  }

  /** Undefined until its header was read. */
  get sizeBytes(): number | undefined {
    return this.#sizeBytes;
  }

  visit({ path, kind, sizeBytes }: TarEntry): TarSink | undefined {
    if (path.replace(/^(?:\.\/)+/, '') !== MEMBER) return undefined;
    if (kind !== 'file')
      throw invalid(
        this.#archive,
        `holds ${MEMBER} as ${kind === 'other' ? 'something else' : `a ${kind}`}, want a file`,
      );
    if (this.#sizeBytes !== undefined) throw invalid(this.#archive, `holds ${MEMBER} twice`);
    if (sizeBytes === 0 || sizeBytes > this.#limits.maxProgramBytes)
      throw invalid(
        this.#archive,
        `holds ${MEMBER} with ${sizeBytes} bytes, want 1 to ${this.#limits.maxProgramBytes}`,
      );
    this.#sizeBytes = sizeBytes;
    return {
      write: (chunk) => {
        this.#hash.update(chunk);
        this.#waiting.push(Buffer.from(chunk));
      },
      end: () => {},
    };
  }

  take(): Buffer[] {
    return this.#waiting.splice(0);
  }

  finish(): Digest {
    if (this.#sizeBytes === undefined) throw invalid(this.#archive, `holds no ${MEMBER}`);
    return parseDigest(`sha256:${this.#hash.digest('hex')}`);
  }
}
