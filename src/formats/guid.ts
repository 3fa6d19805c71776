/**
 * Reads the 16 bytes of a GUID in the order the UEFI specification (appendix A) gives them: the first three groups are
 * little-endian. Upper case, as partitioning programs print them.
 */
export function decodeGuid(bytes: Buffer, at: number): string {
  const hex = (from: number, to: number): string => bytes.toString('hex', at + from, at + to);
  const turned = (from: number, to: number): string =>
    Buffer.from(bytes.subarray(at + from, at + to))
      .reverse()
      .toString('hex');
  return [turned(0, 4), turned(4, 6), turned(6, 8), hex(8, 10), hex(10, 16)].join('-').toUpperCase();
}
