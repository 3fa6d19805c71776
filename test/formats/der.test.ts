import { describe, expect, test } from 'vitest';
import {
  derBitString,
  derBoolean,
  derContext,
  derObjectIdentifier,
  derOctetString,
  derSequence,
  derSetOfOne,
  derTime,
  derTlv,
  derUnsigned,
  derUtf8String,
} from '../../src/formats/der.ts';
import { readDer } from '../../src/formats/der-reader.ts';

function hex(bytes: Uint8Array | undefined): string {
  return Buffer.from(bytes ?? []).toString('hex');
}

describe('encodes', () => {
  const rows: [string, Uint8Array, string][] = [
    ['TRUE', derBoolean(true), '0101ff'],
    ['FALSE', derBoolean(false), '010100'],
    ['zero', derUnsigned(Buffer.of(0)), '020100'],
    ['zero from no bytes', derUnsigned(Buffer.of()), '020100'],
    ['127', derUnsigned(Buffer.of(127)), '02017f'],
    ['128 with a sign byte', derUnsigned(Buffer.of(128)), '02020080'],
    ['a number without its leading zeros', derUnsigned(Buffer.of(0, 0, 1, 0)), '02020100'],
    ['bytes', derOctetString(Buffer.of(1, 2)), '04020102'],
    ['bits', derBitString(Buffer.of(0x06), 1), '03020106'],
    ['ecdsa-with-SHA256', derObjectIdentifier('1.2.840.10045.4.3.2'), '06082a8648ce3d040302'],
    ['a name constraints id', derObjectIdentifier('2.5.29.30'), '0603551d1e'],
    ['text', derUtf8String('é'), '0c02c3a9'],
    [
      'the last second of UTCTime',
      derTime(new Date('2049-12-31T23:59:59Z')),
      `170d${hex(Buffer.from('491231235959Z'))}`,
    ],
    [
      'the first second after it',
      derTime(new Date('2050-01-01T00:00:00Z')),
      `180f${hex(Buffer.from('20500101000000Z'))}`,
    ],
    [
      'the first second of UTCTime',
      derTime(new Date('1950-01-01T00:00:00Z')),
      `170d${hex(Buffer.from('500101000000Z'))}`,
    ],
    [
      'the last second before it',
      derTime(new Date('1949-12-31T23:59:59Z')),
      `180f${hex(Buffer.from('19491231235959Z'))}`,
    ],
    ['a sequence', derSequence(derBoolean(true), derUnsigned(Buffer.of(0))), '30060101ff020100'],
    ['an empty sequence', derSequence(), '3000'],
    ['a set', derSetOfOne(derBoolean(true)), '31030101ff'],
    ['an implicit context tag', derContext(2, Buffer.from('a'), 'primitive'), '820161'],
    ['an explicit context tag', derContext(3, derSequence(), 'constructed'), 'a3023000'],
  ];
  test.each(rows)('%s', (_name, got, want) => {
    expect(hex(got)).toBe(want);
  });
  test.each([
    [127, '047f'],
    [128, '048180'],
    [255, '0481ff'],
    [256, '04820100'],
    [65_536, '0483010000'],
  ])('a length of %i in the shortest form', (length, head) => {
    const bytes = derTlv(4, Buffer.alloc(length));
    expect(hex(bytes).startsWith(head)).toBe(true);
    expect(bytes.length).toBe(length + head.length / 2);
    expect(readDer(bytes)?.map(({ content }) => content.length)).toEqual([length]);
  });
});

describe('reads', () => {
  test('values one after another, each with its header', () => {
    const bytes = Buffer.concat([derBoolean(true), derSequence(derUnsigned(Buffer.of(5)))]);
    const values = readDer(bytes);
    expect(values?.map(({ tag, content, whole }) => [tag, hex(content), hex(whole)])).toEqual([
      [1, 'ff', '0101ff'],
      [0x30, '020105', '3003020105'],
    ]);
  });
  test('nothing as no values', () => expect(readDer(new Uint8Array())).toEqual([]));
  test.each([
    ['a tag without a length', '01'],
    ['content that ends early', '0402aa'],
    ['a length that ends early', '0482aa'],
    ['an indefinite length', '30800000'],
    ['a length of five bytes', '04850000000001aa'],
    ['a tag of several bytes', '1f8101aa'],
    ['a huge length', '0484ffffffff00'],
  ])('not %s', (_name, text) => expect(readDer(Buffer.from(text, 'hex'))).toBeUndefined());
});
