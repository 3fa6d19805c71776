import { type FileHandle, open, readdir, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { type Inventory, inventory, inventoryOfTexts } from '../boot/certs/inventory.ts';
import { MAX_IGNITION_BYTES, parseIgnition } from '../boot/ignition/parse-ignition.ts';
import { inspectIso } from '../boot/iso/inspect-iso.ts';
import { readIsoIgnition } from '../boot/iso/read-iso.ts';
import { EdgefabError, hasCode } from '../errors.ts';
import type { Host } from '../host/host.ts';
import { loadFactory } from './load.ts';
import { selectSites } from './select-sites.ts';

/** A stick of a factory: what is on it, or that it is not built yet. */
export interface SiteCertificates {
  readonly site: string;
  readonly iso: string;
  readonly inventory?: Inventory;
}

export type CertificateSources =
  | { readonly kind: 'ignition' | 'iso' | 'files'; readonly inventory: Inventory }
  | { readonly kind: 'factory'; readonly sites: readonly SiteCertificates[] };

/** ECMA-119 section 8.1: the volume descriptors begin at byte 32,768 with a type and this name. */
const ISO_MARK = { offset: 32_769, text: 'CD001' };
const MAX_FILES = 1000;
const FACTORY = /^kind:\s*["']?Factory\b/m;

function unreadable(path: string, cause: unknown): EdgefabError {
  return new EdgefabError(`${path} cannot be read`, {
    code: 'FILE_UNREADABLE',
    place: { file: path },
    cause,
  });
}

async function readPart(file: FileHandle, offset: number, length: number): Promise<Buffer> {
  const buffer = Buffer.alloc(length);
  let filled = 0;
  for (;;) {
    const { bytesRead } = await file.read(buffer, filled, length - filled, offset + filled);
    filled += bytesRead;
    if (bytesRead === 0 || filled === length) return buffer.subarray(0, filled);
  }
}

/** A file's bytes up to the size an Ignition config may have; undefined for an ISO, whatever its size. */
async function readUnlessIso(path: string): Promise<Buffer | undefined> {
  await using file = await open(path, 'r');
  const mark = await readPart(file, ISO_MARK.offset, ISO_MARK.text.length);
  if (mark.toString('latin1') === ISO_MARK.text) return undefined;
  const { size } = await file.stat();
  if (size > MAX_IGNITION_BYTES) {
    throw new EdgefabError(
      `${path}: a file of ${size} bytes that is no ISO, want at most ${MAX_IGNITION_BYTES} bytes`,
      { code: 'FILE_UNREADABLE', place: { file: path } },
    );
  }
  return await readPart(file, 0, Math.min(size, MAX_IGNITION_BYTES));
}

async function inventoryOfIso(path: string): Promise<Inventory> {
  const bytes = await readIsoIgnition(await inspectIso(path));
  if (bytes === undefined) {
    throw new EdgefabError(`${path} has no Ignition config embedded`, {
      code: 'ISO_INVALID',
      suggestions: ['Build it with edgefab iso, or embed a config with edgefab iso embed'],
      place: { file: path },
    });
  }
  return inventory(parseIgnition(bytes, path));
}

async function inventoryOfFolder(folder: string): Promise<Inventory> {
  const entries = await readdir(folder, { withFileTypes: true });
  const names = entries.flatMap((entry) => (entry.isFile() ? [entry.name] : [])).sort();
  if (names.length > MAX_FILES) {
    throw new EdgefabError(`${folder} has ${names.length} files, want a folder of at most ${MAX_FILES}`, {
      code: 'FILE_UNREADABLE',
      place: { file: folder },
    });
  }
  const texts: { path: string; text: string }[] = [];
  for (const name of names) {
    const bytes = await readUnlessIso(join(folder, name));
    if (bytes !== undefined) texts.push({ path: name, text: bytes.toString('latin1') });
  }
  return inventoryOfTexts(texts, folder);
}

async function inventoryOfStick(iso: string): Promise<Inventory | undefined> {
  try {
    return await inventoryOfIso(iso);
  } catch (error) {
    if (error instanceof EdgefabError && hasCode(error.cause, 'ENOENT')) return undefined;
    throw error;
  }
}

/**
 * Takes stock of the certificates in the built sticks of a factory, out/SITE/SITE.iso. Throws what loading a
 * factory throws, ISO_INVALID, IGNITION_INVALID, SITE_UNKNOWN.
 */
export async function factoryCertificates(
  path: string,
  names: readonly string[],
  host: Pick<Host, 'homeDir'>,
): Promise<CertificateSources> {
  const factory = await loadFactory(path, host);
  const sites: SiteCertificates[] = [];
  for (const { name } of selectSites(factory, names)) {
    const iso = join(factory.paths.out, name, `${name}.iso`);
    const found = await inventoryOfStick(iso);
    sites.push({ site: name, iso, ...(found === undefined ? {} : { inventory: found }) });
  }
  return { kind: 'factory', sites };
}

/**
 * Takes stock of the certificates in an Ignition config, a live ISO with one embedded, a folder of files, one such
 * file, or the sticks of a factory file; which it is, is told by its content. Throws FILE_UNREADABLE, ISO_INVALID, IGNITION_INVALID.
 */
export async function certificateSources(
  path: string,
  host: Pick<Host, 'homeDir'>,
): Promise<CertificateSources> {
  let bytes: Buffer | undefined;
  try {
    if ((await stat(path)).isDirectory()) return { kind: 'files', inventory: await inventoryOfFolder(path) };
    bytes = await readUnlessIso(path);
  } catch (error) {
    if (error instanceof EdgefabError) throw error;
    throw unreadable(path, error);
  }
  if (bytes === undefined) return { kind: 'iso', inventory: await inventoryOfIso(path) };
  const text = bytes.toString('latin1');
  if (FACTORY.test(text)) return await factoryCertificates(path, [], host);
  if (/^\s*\{/.test(text)) return { kind: 'ignition', inventory: inventory(parseIgnition(bytes, path)) };
  return { kind: 'files', inventory: inventoryOfTexts([{ path, text }], path) };
}
