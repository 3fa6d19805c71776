import { createCipheriv } from 'node:crypto';
import { closeSync, openSync, writeSync } from 'node:fs';
import { DESCRIPTOR, RECORD, SECTOR_BYTES, SYSTEM_AREA_BYTES } from '../../../src/formats/iso9660-layout.ts';
import { encodeCoreosIso } from '../../support/coreos-iso.ts';

const CHUNK_BYTES = 1024 * 1024;
const ROOTFS = 'ROOTFS.IMG';

/** ECMA-119 7.3.3: little-endian, then big-endian. */
function writeBoth32(target: Buffer, value: number, at: number): void {
  target.writeUInt32LE(value, at);
  target.writeUInt32BE(value, at + 4);
}

/**
 * Writes a made-up live ISO with a rootfs.img of so many MiB of bytes that no file system or program compresses, the
 * same ones each time: the last file of the image, where the real one has it too.
 */
export function writeBigIso(path: string, rootfsMiB: number): void {
  const small = Buffer.from(encodeCoreosIso());
  const sector = small.length / SECTOR_BYTES;
  const record = small.indexOf(ROOTFS) - RECORD.name;
  const rootfsBytes = rootfsMiB * CHUNK_BYTES;
  writeBoth32(small, sector, record + RECORD.extentSector);
  writeBoth32(small, rootfsBytes, record + RECORD.dataBytes);
  writeBoth32(small, sector + rootfsBytes / SECTOR_BYTES, SYSTEM_AREA_BYTES + DESCRIPTOR.volumeSectors);
  const noise = createCipheriv('aes-128-ctr', Buffer.alloc(16, 'edgefab'), Buffer.alloc(16));
  const zeros = Buffer.alloc(CHUNK_BYTES);
  const file = openSync(path, 'w');
  try {
    writeSync(file, small);
    for (let written = 0; written < rootfsMiB; written += 1) writeSync(file, noise.update(zeros));
  } finally {
    closeSync(file);
  }
}
