const NTP_BYTES = 48;
/** Seconds from 1900, where NTP begins, to 1970. */
const UNIX_EPOCH = 2_208_988_800;
const CLIENT_MODE = 3;
const SERVER_MODE = 4;
const STRATUM = 2;

function writeTime(message: Buffer, at: number, timeMs: number): void {
  message.writeUInt32BE((Math.floor(timeMs / 1000) + UNIX_EPOCH) % 2 ** 32, at);
  message.writeUInt32BE(Math.floor(((timeMs % 1000) / 1000) * 2 ** 32), at + 4);
}

/** Answers a client of NTP (RFC 5905 section 7.3) with this time; undefined for what is no question of one. */
export function answerTime(query: Buffer, timeMs: number): Buffer | undefined {
  const first = query[0] ?? 0;
  if (query.length < NTP_BYTES || (first & 7) !== CLIENT_MODE) return undefined;
  const answer = Buffer.alloc(NTP_BYTES);
  answer.writeUInt8((first & 0b0011_1000) | SERVER_MODE, 0);
  answer.writeUInt8(STRATUM, 1);
  query.copy(answer, 2, 2, 3);
  // Good to a microsecond.
  answer.writeInt8(-20, 3);
  // Root delay and dispersion: a millisecond, in 1/65536 s.
  answer.writeUInt32BE(66, 4);
  answer.writeUInt32BE(66, 8);
  // The reference is another server, by an address nobody has (RFC 5737).
  answer.set([192, 0, 2, 1], 12);
  writeTime(answer, 16, timeMs - 1000);
  // The client's transmit time comes back as the origin: it knows its own question by it.
  query.copy(answer, 24, 40, 48);
  writeTime(answer, 32, timeMs);
  writeTime(answer, 40, timeMs);
  return answer;
}
