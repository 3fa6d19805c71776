import { describe, expect, test } from 'vitest';
import { decodePem, encodePem } from '../../src/formats/pem.ts';

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
