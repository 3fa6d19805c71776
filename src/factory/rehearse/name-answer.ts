const HEADER_BYTES = 12;
const TYPE = { a: 1, any: 255 } as const;
const CLASS_IN = 1;
const TTL_SECONDS = 60;
const RCODE = { notImplemented: 4, nameError: 3 } as const;
const MAX_LABELS = 128;

/**
 * Answers a DNS query (RFC 1035 section 4) as the name server of a site that knows these names alone: a name that
 * begins with `*.` stands for all below it. Undefined for what is no query.
 */
export function answerName(query: Buffer, names: ReadonlyMap<string, string>): Buffer | undefined {
  if (query.length < HEADER_BYTES || (query.readUInt16BE(2) & 0x8000) !== 0) return undefined;
  const question = readQuestion(query);
  const opcode = (query.readUInt16BE(2) >> 11) & 15;
  const header = Buffer.alloc(HEADER_BYTES);
  query.copy(header, 0, 0, 2);
  if (opcode !== 0 || question === undefined) {
    writeFlags(header, query, RCODE.notImplemented);
    return header;
  }
  const address = addressOf(question.name, names);
  const isAnswered = address !== undefined && (question.type === TYPE.a || question.type === TYPE.any);
  writeFlags(header, query, address === undefined ? RCODE.nameError : 0);
  header.writeUInt16BE(1, 4);
  header.writeUInt16BE(isAnswered ? 1 : 0, 6);
  if (!isAnswered) return Buffer.concat([header, question.bytes]);
  const record = Buffer.alloc(12);
  // The name is the one at the start of the question (section 4.1.4).
  record.writeUInt16BE(0xc000 | HEADER_BYTES, 0);
  record.writeUInt16BE(TYPE.a, 2);
  record.writeUInt16BE(CLASS_IN, 4);
  record.writeUInt32BE(TTL_SECONDS, 6);
  record.writeUInt16BE(4, 10);
  return Buffer.concat([header, question.bytes, record, Buffer.from(address.split('.').map(Number))]);
}

/** A response, authoritative, recursion as it was desired and available. */
function writeFlags(header: Buffer, query: Buffer, rcode: number): void {
  header.writeUInt16BE(0x8480 | (query.readUInt16BE(2) & 0x0100) | rcode, 2);
}

function readQuestion(query: Buffer): { name: string; type: number; bytes: Buffer } | undefined {
  const labels: string[] = [];
  let at = HEADER_BYTES;
  for (;;) {
    const length = query[at];
    if (length === undefined || length > 63 || labels.length > MAX_LABELS) return undefined;
    at += 1;
    if (length === 0) break;
    labels.push(query.toString('latin1', at, at + length).toLowerCase());
    at += length;
  }
  if (query.length < at + 4) return undefined;
  return {
    name: labels.join('.'),
    type: query.readUInt16BE(at),
    bytes: query.subarray(HEADER_BYTES, at + 4),
  };
}

function addressOf(name: string, names: ReadonlyMap<string, string>): string | undefined {
  const parents = name.split('.').map((_, index, labels) => `*.${labels.slice(index + 1).join('.')}`);
  return [name, ...parents].map((each) => names.get(each)).find((each) => each !== undefined);
}
