import { closeSync, openSync, writeSync } from 'node:fs';
import { crc32 } from 'node:zlib';

function put(path: string, offset: number, bytes: Uint8Array): void {
  const file = openSync(path, 'r+');
  writeSync(file, bytes, 0, bytes.length, offset);
  closeSync(file);
}

/** Writes what libblkid takes for the header of a LUKS volume. */
export function putLuks(path: string): void {
  const head = Buffer.alloc(512);
  head.write('LUKS\xba\xbe\x00\x01', 'latin1');
  head.write('5c1f9b3e-0d8e-4b6c-9c2a-1d2e3f405162', 168, 'latin1');
  put(path, 0, head);
}

/** Writes the label of an LVM physical volume: sector 1, with LVM's checksum over what follows it. */
export function putLvm(path: string): void {
  const sector = Buffer.alloc(512);
  sector.write('LABELONE', 'latin1');
  sector.writeBigUInt64LE(1n, 8);
  sector.writeUInt32LE(32, 20);
  sector.write('LVM2 001', 24, 'latin1');
  sector.write('a'.repeat(32), 32, 'latin1');
  sector.writeUInt32LE(~crc32(sector.subarray(20), ~0xf597a6cf >>> 0) >>> 0, 16);
  put(path, 512, sector);
}

/** Writes an md superblock of version 1.2, 4 KiB into the device. */
export function putRaid(path: string): void {
  const block = Buffer.alloc(512);
  block.writeUInt32LE(0xa92b4efc, 0);
  block.writeUInt32LE(1, 4);
  block.fill(7, 16, 32);
  block.writeBigUInt64LE(8n, 144);
  put(path, 4096, block);
}

/** Writes a row of ZFS uberblocks. */
export function putZfs(path: string): void {
  for (let index = 0; index < 8; index += 1) {
    const block = Buffer.alloc(1024);
    block.writeBigUInt64LE(0x00bab10cn, 0);
    block.writeBigUInt64LE(5000n, 8);
    put(path, 128 * 1024 + index * 1024, block);
  }
}

/** Writes the magic of a VMFS volume. */
export function putVmfs(path: string): void {
  put(path, 1024 * 1024, Buffer.from([0x0d, 0xd0, 0x01, 0xc0]));
}

/** Writes the line a Ceph disk begins with. */
export function putCeph(path: string): void {
  put(path, 0, Buffer.from('bluestore block device\n'));
}

/** Writes some bytes no program knows. */
export function putBytes(path: string, offset: number): void {
  put(path, offset, Buffer.from('edge'));
}
