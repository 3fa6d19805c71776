import { describe, expect, test } from 'vitest';
import { decodePem, encodePem, replaceBody, scanPem } from '../../src/formats/pem.ts';

const block = (label: string, body: string): string =>
  `-----BEGIN ${label}-----\n${body}\n-----END ${label}-----\n`;

describe('decodePem finds', () => {
  test.each([
    ['nothing in plain text', 'hello', []],
    ['one block', block('CERTIFICATE', 'aGk='), [['CERTIFICATE', 'hi']]],
    [
      'a chain with a blank line',
      `${block('A', 'aGk=')}\n${block('B', 'aG8=')}`,
      [
        ['A', 'hi'],
        ['B', 'ho'],
      ],
    ],
    ['an indented block', block('A', 'aGk=').replace(/^/gm, '    '), [['A', 'hi']]],
    ['a body over several lines', block('A B', 'a\nGk\n='), [['A B', 'hi']]],
    ['no block whose ends differ', '-----BEGIN A-----\naGk=\n-----END B-----', []],
  ])('%s', (_name, text, want) => {
    expect(decodePem(text).map(({ label, der }) => [label, Buffer.from(der).toString()])).toEqual(want);
  });
});

describe('encodePem writes', () => {
  test.each([
    ['no bytes', 0, 1],
    ['one full line', 48, 1],
    ['one byte more than a line', 49, 2],
  ])('%s, which are read back', (_name, length, lines) => {
    const der = Buffer.alloc(length, 7);
    const text = encodePem({ label: 'CERTIFICATE', der });
    expect(text.split('\n')).toHaveLength(lines + 3);
    expect(text.endsWith('-----END CERTIFICATE-----\n')).toBe(true);
    expect(decodePem(text).map((block) => [block.label, Buffer.from(block.der)])).toEqual([
      ['CERTIFICATE', der],
    ]);
  });
});

describe('scanPem says what is wrong with', () => {
  test.each([
    ['a strange character', block('A', 'aG!='), 'its character 3 is no base64'],
    ['half a group', block('A', 'aGk'), 'its 3 characters are no whole base64'],
    ['padding in the middle', block('A', 'aG==aGk='), 'its 8 characters are no whole base64'],
    ['a missing end', '-----BEGIN A-----\nMIIB\n', 'its line "-----END A-----" is missing'],
    [
      'a block cut off by the next',
      `-----BEGIN A-----\nMIIB\n${block('B', 'aGk=')}`,
      'its line "-----END A-----" is missing',
    ],
  ])('%s', (_name, text, want) => {
    expect(scanPem(text)[0]?.damage).toBe(want);
  });

  test.each([
    ['a script that looks for the line', "awk '/-----BEGIN CERTIFICATE-----/ { n++ }' ca.crt"],
    ['a sentence', 'The file begins with -----BEGIN CERTIFICATE----- and so on.'],
  ])('nothing of %s', (_name, text) => {
    expect(scanPem(text)).toEqual([]);
  });
});

describe('replaceBody keeps the layout of', () => {
  const long = Buffer.alloc(100, 1).toString('base64');
  const lines = (gap: string): string => gap + (long.match(/.{1,64}/g) ?? []).join(gap) + gap;
  test.each([
    ['lines', lines('\n')],
    ['lines of a YAML block scalar', lines('\n    ')],
    ['CRLF', lines('\r\n')],
    ['a string of JSON', lines('\\n')],
    ['one line', `\n${long}\n`],
    ['no line break at all', long],
  ])('%s', (_name, body) => {
    expect(replaceBody(body, Buffer.alloc(100, 1))).toBe(body);
    expect(replaceBody(replaceBody(body, Buffer.alloc(130, 2)), Buffer.alloc(100, 1))).toBe(body);
  });
});
