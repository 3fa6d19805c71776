import { constants, gunzipSync } from 'node:zlib';
import type { ImageReader } from './image-json.ts';

/** Machines that CoreOS live ISOs are made for, as `uname -m` names them. */
export type IsoArchitecture = 'x86_64' | 'aarch64' | 'ppc64le' | 's390x';

const KERNELS = ['images/pxeboot/vmlinuz', 'images/pxeboot/kernel.img', 'images/kernel.img'];
// Where no kernel tells, as in images cut down to their areas: files that one architecture alone has.
const TELLING_FILES: readonly (readonly [string, IsoArchitecture])[] = [
  ['images/cdboot.img', 's390x'],
  ['generic.ins', 's390x'],
  ['isolinux/isolinux.cfg', 'x86_64'],
  ['boot/grub/grub.cfg', 'ppc64le'],
];

/** Marks in a kernel image: bytes at an offset (Documentation/arch/x86/boot, arch/arm64/booting; s390's head.S). */
const MARKS: readonly { at: number; magic: string; architecture: IsoArchitecture }[] = [
  { at: 0x202, magic: 'HdrS', architecture: 'x86_64' },
  { at: 56, magic: 'ARM\x64', architecture: 'aarch64' },
  { at: 0x10008, magic: 'S390EP', architecture: 's390x' },
];
const HEAD_BYTES = 0x10008 + 6;

// PE/COFF: its header's place is at 0x3c; then a signature and the machine. EFI's compressed kernels have no other mark.
const PE = { pointer: 0x3c, signature: 'PE\0\0', machine: 4 } as const;
const PE_MACHINES: Readonly<Record<number, IsoArchitecture>> = { 34404: 'x86_64', 43620: 'aarch64' };
// ELF: a little-endian 64-bit file, whose e_machine is 21 for PowerPC.
const ELF = { magic: '\x7fELF\x02\x01', machine: 18, ppc64: 21 } as const;
// A gzip-packed kernel (aarch64) shows its header in the first bytes it unpacks to.
const GZIP_MAGIC = 0x8b1f;
const GZIP_HEAD_BYTES = 4096;
const UNPACKED_HEAD_BYTES = 8 * 1024 * 1024;

function unpackHead(head: Buffer): Buffer {
  try {
    return gunzipSync(head.subarray(0, GZIP_HEAD_BYTES), {
      finishFlush: constants.Z_SYNC_FLUSH,
      maxOutputLength: UNPACKED_HEAD_BYTES,
    });
  } catch {
    // Not what it looked like; then it tells nothing.
    return Buffer.alloc(0);
  }
}

function hasText(head: Buffer, at: number, text: string): boolean {
  return head.toString('latin1', at, at + text.length) === text;
}

/** Tells from the first bytes of a kernel what it runs on; undefined when it has no mark known here. */
export function kernelArchitecture(kernel: Buffer): IsoArchitecture | undefined {
  const isPacked = kernel.length > 2 && kernel.readUInt16LE(0) === GZIP_MAGIC;
  const head = isPacked ? unpackHead(kernel) : kernel;
  const mark = MARKS.find(({ at, magic }) => hasText(head, at, magic));
  if (mark !== undefined) return mark.architecture;
  if (hasText(head, 0, ELF.magic) && head.length > ELF.machine + 2) {
    return head.readUInt16LE(ELF.machine) === ELF.ppc64 ? 'ppc64le' : undefined;
  }
  if (!hasText(head, 0, 'MZ') || head.length < PE.pointer + 4) return undefined;
  const pe = head.readUInt32LE(PE.pointer);
  if (!hasText(head, pe, PE.signature) || pe + PE.machine + 2 > head.length) return undefined;
  return PE_MACHINES[head.readUInt16LE(pe + PE.machine)];
}

/** Tells what machines a live ISO boots, by its kernel, else by its files; undefined when neither tells. */
export async function isoArchitecture(image: ImageReader): Promise<IsoArchitecture | undefined> {
  for (const path of KERNELS) {
    const file = await image.volume.findFile(path);
    if (file === undefined) continue;
    const head = await image.readAt(file.offset, Math.min(file.sizeBytes, HEAD_BYTES));
    const found = kernelArchitecture(Buffer.from(head.buffer, head.byteOffset, head.byteLength));
    if (found !== undefined) return found;
  }
  for (const [path, architecture] of TELLING_FILES) {
    if ((await image.volume.findFile(path)) !== undefined) return architecture;
  }
  return undefined;
}
