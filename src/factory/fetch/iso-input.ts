import { type FileHandle, mkdtemp, open, rm } from 'node:fs/promises';
import { basename, join } from 'node:path';
import type { Readable } from 'node:stream';
import { openPartial } from '../../boot/iso/patched-copy.ts';
import { EdgefabError } from '../../errors.ts';
import type { Host } from '../../host/host.ts';
import type { Digest } from '../../oci/digest.ts';
import { shownUrl } from '../../oci/failure.ts';
import { fileDigest } from './file-digest.ts';
import { parseWebAddress } from './mirror-layout.ts';
import { spool } from './spool.ts';
import type { WebBody, WebClient } from './web-client.ts';

/** A live ISO as a user names it: a path, `-` for stdin, or an http(s) address. */
export interface IsoWanted {
  readonly iso: string;
  readonly digest: Digest | undefined;
  /** The ISO to be made of it: what comes once is kept beside that; undefined for a temporary folder. */
  readonly target: string | undefined;
}

/** Where an ISO may come from besides a file. */
export interface IsoOrigins {
  readonly stdin: Readable;
  readonly openWeb: () => Promise<WebClient>;
  readonly temporaryFolder: string;
  readonly signal: AbortSignal;
  /** Told of a download whose size is known, before its first byte. */
  readonly onStart?: (name: string, totalBytes: number) => void;
  readonly onBytes?: (bytes: number) => void;
}

/** A live ISO in a file. Disposing of it removes what was made for it. */
export interface IsoInput extends AsyncDisposable {
  readonly path: string;
  /** What a user calls it; holds no token. */
  readonly name: string;
  /** It is a temporary beside the target, and may become that. */
  readonly adopt: boolean;
  /** Where it was computed. */
  readonly digest: Digest | undefined;
}

/** Real ones have 1 to 2 GB. */
const MAX_ISO_BYTES = 16 * 1024 ** 3;

/** Tells whether an ISO comes once, from stdin or a server, and is no file to go back to. */
export function comesOnce(iso: string): boolean {
  return iso === '-' || /^https?:\/\//i.test(iso);
}

interface Temporary extends AsyncDisposable {
  readonly path: string;
  readonly file: FileHandle;
}

async function openTemporary(
  target: string | undefined,
  folder: string,
  host: Pick<Host, 'randomBytes'>,
): Promise<Temporary> {
  if (target !== undefined) {
    const { path, file } = await openPartial(target, host);
    return { path, file, [Symbol.asyncDispose]: () => rm(path, { force: true }) };
  }
  const own = await mkdtemp(join(folder, 'edgefab-iso-'));
  const path = join(own, 'live.iso');
  const file = await open(path, 'wx', 0o600);
  return { path, file, [Symbol.asyncDispose]: () => rm(own, { recursive: true, force: true }) };
}

async function openBody(url: URL, web: WebClient, signal: AbortSignal): Promise<WebBody> {
  const body = await web.open(url, { signal });
  if (body !== undefined) return body;
  throw new EdgefabError(`server ${url.host} has no ${url.pathname}`, {
    code: 'DOWNLOAD_UNKNOWN',
    place: { url: shownUrl(url) },
    suggestions: ['Check the address; a browser or curl -I shows whether the file is there'],
  });
}

async function fileInput(path: string, want: Digest | undefined, signal: AbortSignal): Promise<IsoInput> {
  const digest = want === undefined ? undefined : await fileDigest(path, signal);
  if (digest !== want) {
    throw new EdgefabError(`${path} has digest ${digest ?? '(no such file)'}, want ${want}`, {
      code: digest === undefined ? 'FILE_UNREADABLE' : 'BLOB_DIGEST_MISMATCH',
      place: { file: path },
      suggestions: ['Get the ISO again, for example with edgefab fetch --iso-only'],
    });
  }
  return { path, name: path, adopt: false, digest, [Symbol.asyncDispose]: async () => {} };
}

async function receive(
  { iso, digest }: IsoWanted,
  origins: IsoOrigins,
  { path, file }: Temporary,
): Promise<{ readonly name: string; readonly digest: Digest }> {
  const { signal, onStart, onBytes } = origins;
  const to = { path, file, digest, maxBytes: MAX_ISO_BYTES };
  const options = { signal, ...(onBytes === undefined ? {} : { onBytes }) };
  if (iso === '-') {
    const got = await spool(
      { ...to, what: 'ISO on stdin', stream: origins.stdin, totalBytes: undefined },
      options,
    );
    return { name: iso, digest: got.digest };
  }
  const url = parseWebAddress(iso, 'ISO');
  const web = await origins.openWeb();
  try {
    const { stream, totalBytes } = await openBody(url, web, signal);
    if (totalBytes !== undefined) onStart?.(basename(url.pathname), totalBytes);
    const got = await spool({ ...to, what: `ISO ${shownUrl(url)}`, stream, totalBytes }, options);
    return { name: shownUrl(url), digest: got.digest };
  } finally {
    web.close();
  }
}

/**
 * Makes a live ISO readable as a file: what comes from stdin or a server is kept, without its zeros, beside the
 * target or in the temporary folder until it is disposed of. Throws what `spool` and the web client throw,
 * BLOB_DIGEST_MISMATCH, FILE_UNREADABLE.
 */
export async function openIsoInput(
  wanted: IsoWanted,
  origins: IsoOrigins,
  host: Pick<Host, 'randomBytes'>,
): Promise<IsoInput> {
  if (!comesOnce(wanted.iso)) return await fileInput(wanted.iso, wanted.digest, origins.signal);
  const temporary = await openTemporary(wanted.target, origins.temporaryFolder, host);
  try {
    const { name, digest } = await receive(wanted, origins, temporary);
    await temporary.file.close();
    const { path } = temporary;
    return {
      path,
      name,
      adopt: wanted.target !== undefined,
      digest,
      [Symbol.asyncDispose]: () => temporary[Symbol.asyncDispose](),
    };
  } catch (error) {
    await temporary.file.close();
    await temporary[Symbol.asyncDispose]();
    throw error;
  }
}
