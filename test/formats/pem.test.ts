import { describe, expect, test } from 'vitest';
import { decodePem } from '../../src/formats/pem.ts';

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
