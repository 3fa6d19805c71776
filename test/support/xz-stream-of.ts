import { crc32 } from 'node:zlib';

const FLAGS = Buffer.from([0x00, 0x01]);

function withCrc(bytes: Buffer): Buffer {
  const crc = Buffer.alloc(4);
  crc.writeUInt32LE(crc32(bytes));
  return Buffer.concat([bytes, crc]);
}

/** A number as an .xz index has it: seven bits a byte, the last without its high bit. */
function variableNumber(value: number): Buffer {
  const bytes: number[] = [];
  for (let rest = value; ; rest = Math.floor(rest / 128)) {
    if (rest < 128) return Buffer.from([...bytes, rest]);
    bytes.push((rest % 128) + 128);
  }
}

/**
 * Makes an .xz stream with these index numbers and no sound block: enough to be found, not to be unpacked. The numbers
 * are a count, then packed and unpacked sizes.
 */
export function xzStreamOf(numbers: readonly number[], block: Uint8Array = new Uint8Array()): Buffer {
  const list = Buffer.concat([Buffer.from([0]), ...numbers.map(variableNumber)]);
  const index = withCrc(Buffer.concat([list, Buffer.alloc(-list.length & 3)]));
  const footer = Buffer.alloc(12);
  footer.writeUInt32LE(index.length / 4 - 1, 4);
  FLAGS.copy(footer, 8);
  footer.write('YZ', 10, 'latin1');
  footer.writeUInt32LE(crc32(footer.subarray(4, 10)), 0);
  const header = Buffer.concat([Buffer.from('fd377a585a00', 'hex'), withCrc(FLAGS)]);
  return Buffer.concat([header, block, index, footer]);
}
