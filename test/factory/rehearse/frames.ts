/** Frames as a card sees them, and the file QEMU writes of them. */
export const MACHINE = '28:d2:44:d3:ef:1c';
export const ROUTER = '52:55:0a:00:02:02';

function macBytes(text: string): Buffer {
  return Buffer.from(text.replaceAll(':', ''), 'hex');
}

export function frame(from: string, to: string, type: number, body: Buffer): Buffer {
  const header = Buffer.concat([macBytes(to), macBytes(from), Buffer.alloc(2)]);
  header.writeUInt16BE(type, 12);
  return Buffer.concat([header, body]);
}

export function ipv4(protocol: number, from: string, to: string, body: Buffer): Buffer {
  const header = Buffer.alloc(20);
  header.writeUInt8(0x45, 0);
  header.writeUInt16BE(20 + body.length, 2);
  header.writeUInt8(protocol, 9);
  for (const [at, text] of [
    [12, from],
    [16, to],
  ] as const)
    Buffer.from(text.split('.').map(Number)).copy(header, at);
  return Buffer.concat([header, body]);
}

export function ipv6(next: number, from: string, to: string, body: Buffer): Buffer {
  const header = Buffer.alloc(40);
  header.writeUInt8(0x60, 0);
  header.writeUInt16BE(body.length, 4);
  header.writeUInt8(next, 6);
  Buffer.from(from, 'hex').copy(header, 8);
  Buffer.from(to, 'hex').copy(header, 24);
  return Buffer.concat([header, body]);
}

export function udp(sourcePort: number, port: number, payload: Buffer): Buffer {
  const header = Buffer.alloc(8);
  header.writeUInt16BE(sourcePort, 0);
  header.writeUInt16BE(port, 2);
  header.writeUInt16BE(8 + payload.length, 4);
  return Buffer.concat([header, payload]);
}

export function tcp(sourcePort: number, port: number, flags: number, payload = Buffer.alloc(0)): Buffer {
  const header = Buffer.alloc(20);
  header.writeUInt16BE(sourcePort, 0);
  header.writeUInt16BE(port, 2);
  header.writeUInt8(5 << 4, 12);
  header.writeUInt8(flags, 13);
  return Buffer.concat([header, payload]);
}

export function question(name: string): Buffer {
  const labels = name
    .split('.')
    .map((label) => Buffer.concat([Buffer.from([label.length]), Buffer.from(label)]));
  return Buffer.concat([Buffer.alloc(12), ...labels, Buffer.from([0, 0, 1, 0, 1])]);
}

export function pcap(frames: readonly Buffer[], magic = 0xa1b2c3d4): Buffer {
  const header = Buffer.alloc(24);
  header.writeUInt32LE(magic, 0);
  header.writeUInt32LE(1, 20);
  const records = frames.map((bytes, index) => {
    const record = Buffer.alloc(16);
    record.writeUInt32LE(index, 0);
    record.writeUInt32LE(bytes.length, 8);
    record.writeUInt32LE(bytes.length, 12);
    return Buffer.concat([record, bytes]);
  });
  return Buffer.concat([header, ...records]);
}
