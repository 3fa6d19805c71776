import { createSocket } from 'node:dgram';
import { lookup } from 'node:dns/promises';
import { isIPv6 } from 'node:net';
import type { Host } from '../../host/host.ts';

// RFC 5905 section 7.3: the first byte is leap indicator, version 4, mode 3 (client); all else may be zero.
const PACKET = { sizeBytes: 48, clientMode: 0x23, serverMode: 4, stratum: 1, transmitSeconds: 40 } as const;
/** Seconds between 1900, where NTP counts from, and 1970 (RFC 5905 section 6). */
const NTP_EPOCH_SECONDS = 2_208_988_800;
const TIMEOUT_MS = 3000;
const NTP_PORT = 123;

/**
 * Asks a time server how far this clock is from its own, in seconds (positive: this clock is behind), good to the
 * time of the way there and back. Rejects with Node's error, or one that says what was wrong with the answer.
 */
export async function askTime(
  server: string,
  { now }: Pick<Host, 'now'>,
  port: number = NTP_PORT,
): Promise<number> {
  const { address } = await lookup(server);
  const socket = createSocket(isIPv6(address) ? 'udp6' : 'udp4');
  try {
    const answer = await new Promise<Buffer>((resolve, reject) => {
      const timer = setTimeout(
        () => reject(new Error(`no answer within ${TIMEOUT_MS / 1000} s`)),
        TIMEOUT_MS,
      );
      socket.once('error', reject);
      socket.once('message', (message) => {
        clearTimeout(timer);
        resolve(message);
      });
      const question = Buffer.alloc(PACKET.sizeBytes);
      question[0] = PACKET.clientMode;
      // Connected: answers from elsewhere are not taken, and a closed port is told.
      socket.connect(port, address, () => socket.send(question));
    });
    return offsetOf(answer, now());
  } finally {
    socket.close();
  }
}

function offsetOf(answer: Buffer, here: Date): number {
  if (answer.length < PACKET.sizeBytes || ((answer[0] ?? 0) & 7) !== PACKET.serverMode)
    throw new Error('the answer is not NTP');
  // A server that has no time itself says stratum 0 (kiss o'death) or 16.
  const stratum = answer[PACKET.stratum] ?? 0;
  if (stratum === 0 || stratum > 15) throw new Error('the server does not know the time itself');
  const seconds = answer.readUInt32BE(PACKET.transmitSeconds);
  const fraction = answer.readUInt32BE(PACKET.transmitSeconds + 4) / 2 ** 32;
  // Seconds wrap in 2036: what would lie before 1968 is of the next era (RFC 4330 section 3).
  const era = seconds < 2 ** 31 ? 2 ** 32 : 0;
  return seconds + era + fraction - NTP_EPOCH_SECONDS - here.getTime() / 1000;
}
