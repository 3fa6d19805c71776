import type { LocalNode } from './local-files.ts';
import type { VirtualEntry, VirtualFolder } from './virtual-folder.ts';

// Numbers of WASI preview 1: errno, filetype, lookupflags.
const SUCCESS = 0;
const BADF = 8;
const INVAL = 28;
const ISDIR = 31;
const NOENT = 44;
const NOTDIR = 54;
const ROFS = 69;
const FILETYPE = { folder: 3, file: 4, link: 7 } as const;
const FOLLOW = 1;
/** The first descriptor after the standard three; Go looks for its root folder here. */
const ROOT_FD = 3;

/** fdstat: filetype u8 at 0, flags u16 at 2, rights u64 at 8 and 16. */
const FDSTAT_SIZE = 24;
/** filestat: dev u64 at 0, ino u64 at 8, filetype u8 at 16, nlink u64 at 24, size u64 at 32, three times. */
const FILESTAT = { device: 0, inode: 8, filetype: 16, links: 24, size: 32, length: 64 } as const;
/** WASI has no permission bits: this device number tells Go's side of an executable bit (executable.go). */
const EXECUTABLE_DEVICE = 1n;
/** dirent: next cookie u64 at 0, ino u64 at 8, name length u32 at 16, filetype u8 at 20, then the name. */
const DIRENT = { inode: 8, nameLength: 16, filetype: 20, length: 24 } as const;

interface OpenFile {
  readonly node: LocalNode;
  readonly entries: readonly VirtualEntry[];
  offset: number;
}

type WasiCall = (...args: never[]) => number;

/**
 * Builds the file calls of WASI preview 1 that Go's os package reads with, over a file system in memory
 * whose root folder is descriptor 3. Nothing can be written. `folder` is asked at each call, because every
 * document brings its own files.
 */
export function wasiFiles(
  folder: () => VirtualFolder,
  memory: () => WebAssembly.Memory,
): Record<string, WasiCall> {
  const open = new Map<number, OpenFile>();
  const view = () => new DataView(memory().buffer);
  const bytesAt = (pointer: number, size: number) => new Uint8Array(memory().buffer, pointer, size);
  const textAt = (pointer: number, size: number) => new TextDecoder().decode(bytesAt(pointer, size));
  const nodeOf = (fd: number): LocalNode | undefined =>
    fd === ROOT_FD ? { kind: 'folder' } : open.get(fd)?.node;

  function writeStat(node: LocalNode, out: number): number {
    const size = node.kind === 'file' ? node.bytes.length : 0;
    bytesAt(out, FILESTAT.length).fill(0);
    if (node.kind === 'file' && node.executable) {
      view().setBigUint64(out + FILESTAT.device, EXECUTABLE_DEVICE, true);
    }
    view().setBigUint64(out + FILESTAT.inode, 1n, true);
    view().setUint8(out + FILESTAT.filetype, FILETYPE[node.kind]);
    view().setBigUint64(out + FILESTAT.links, 1n, true);
    view().setBigUint64(out + FILESTAT.size, BigInt(size), true);
    return SUCCESS;
  }

  return {
    fd_prestat_get(fd: number, out: number): number {
      if (fd !== ROOT_FD) return BADF;
      // prestat: tag u8 at 0 (0 is a folder), name length u32 at 4.
      view().setUint32(out, 0, true);
      view().setUint32(out + 4, 1, true);
      return SUCCESS;
    },
    fd_prestat_dir_name(fd: number, out: number): number {
      if (fd !== ROOT_FD) return BADF;
      view().setUint8(out, '/'.charCodeAt(0));
      return SUCCESS;
    },
    fd_fdstat_get(fd: number, out: number): number {
      const node = nodeOf(fd);
      if (node === undefined) return BADF;
      bytesAt(out, FDSTAT_SIZE).fill(0);
      view().setUint8(out, FILETYPE[node.kind]);
      return SUCCESS;
    },
    fd_fdstat_set_flags: (fd: number) => (nodeOf(fd) === undefined ? BADF : SUCCESS),
    fd_filestat_get(fd: number, out: number): number {
      const node = nodeOf(fd);
      return node === undefined ? BADF : writeStat(node, out);
    },
    path_filestat_get(fd: number, flags: number, path: number, size: number, out: number): number {
      if (fd !== ROOT_FD) return BADF;
      const node = folder().find(textAt(path, size), (flags & FOLLOW) !== 0);
      return node === undefined ? NOENT : writeStat(node, out);
    },
    path_open(
      fd: number,
      flags: number,
      path: number,
      size: number,
      openFlags: number,
      _rights: bigint,
      _inherited: bigint,
      _fdFlags: number,
      out: number,
    ): number {
      if (fd !== ROOT_FD) return BADF;
      // oflags: create 1, directory 2, exclusive 4, truncate 8.
      if ((openFlags & ~2) !== 0) return ROFS;
      const name = textAt(path, size);
      const node = folder().find(name, (flags & FOLLOW) !== 0);
      if (node === undefined) return NOENT;
      if ((openFlags & 2) !== 0 && node.kind !== 'folder') return NOTDIR;
      let opened = ROOT_FD + 1;
      while (open.has(opened)) opened += 1;
      const entries = node.kind === 'folder' ? folder().list(name) : [];
      open.set(opened, { node, entries, offset: 0 });
      view().setUint32(out, opened, true);
      return SUCCESS;
    },
    path_readlink(fd: number, path: number, size: number, out: number, room: number, used: number): number {
      if (fd !== ROOT_FD) return BADF;
      const node = folder().find(textAt(path, size), false);
      if (node === undefined) return NOENT;
      if (node.kind !== 'link') return INVAL;
      const target = new TextEncoder().encode(node.target).subarray(0, room);
      bytesAt(out, target.length).set(target);
      view().setUint32(used, target.length, true);
      return SUCCESS;
    },
    fd_read(fd: number, vectors: number, count: number, used: number): number {
      const file = open.get(fd);
      if (file === undefined) return BADF;
      if (file.node.kind !== 'file') return ISDIR;
      const start = file.offset;
      for (let i = 0; i < count; i++) {
        const pointer = view().getUint32(vectors + i * 8, true);
        const room = view().getUint32(vectors + i * 8 + 4, true);
        const bytes = file.node.bytes.subarray(file.offset, file.offset + room);
        bytesAt(pointer, bytes.length).set(bytes);
        file.offset += bytes.length;
      }
      view().setUint32(used, file.offset - start, true);
      return SUCCESS;
    },
    fd_readdir(fd: number, out: number, room: number, cookie: bigint, used: number): number {
      const file = open.get(fd);
      if (file === undefined) return BADF;
      if (file.node.kind !== 'folder') return NOTDIR;
      let filled = 0;
      for (let at = Number(cookie); at < file.entries.length && filled < room; at++) {
        const record = direntOf(file.entries, at).subarray(0, room - filled);
        bytesAt(out + filled, record.length).set(record);
        // A record cut off tells the reader to come again with this cookie.
        filled += record.length;
      }
      view().setUint32(used, filled, true);
      return SUCCESS;
    },
    fd_close: (fd: number) => (open.delete(fd) ? SUCCESS : BADF),
  };
}

function direntOf(entries: readonly VirtualEntry[], at: number): Uint8Array {
  const { name = '', node } = entries[at] ?? {};
  const encoded = new TextEncoder().encode(name);
  const record = new Uint8Array(DIRENT.length + encoded.length);
  const view = new DataView(record.buffer);
  view.setBigUint64(0, BigInt(at + 1), true);
  view.setBigUint64(DIRENT.inode, 1n, true);
  view.setUint32(DIRENT.nameLength, encoded.length, true);
  view.setUint8(DIRENT.filetype, node === undefined ? 0 : FILETYPE[node.kind]);
  record.set(encoded, DIRENT.length);
  return record;
}
