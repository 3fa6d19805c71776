import { randomBytes } from 'node:crypto';
import { writeFileSync } from 'node:fs';

/** Makes a file of chance bytes that passes for a hybrid ISO: a boot sector's mark, and a volume descriptor. */
export function makeStickImage(path: string, sizeBytes: number): Buffer {
  const bytes = randomBytes(sizeBytes);
  bytes.writeUInt16LE(0xaa55, 510);
  bytes.write('\x01CD001\x01', 32_768, 'latin1');
  bytes.write('edgefab-test'.padEnd(32), 32_768 + 40, 'latin1');
  writeFileSync(path, bytes);
  return bytes;
}
