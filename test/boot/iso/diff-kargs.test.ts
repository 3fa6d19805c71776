import { expect, test } from 'vitest';
import { diffKargs } from '../../../src/boot/iso/diff-kargs.ts';

const rows: [string, string, string, string[]][] = [
  ['the same', 'a b', 'a b', []],
  ['another order, other blanks', 'a  b', 'b a ', []],
  ['one more', 'a', 'a b=1', ['+b=1']],
  ['one less', 'a b=1', 'a', ['-b=1']],
  ['one replaced', 'a=1 b', 'a=2 b', ['-a=1', '+a=2']],
  ['one twice', 'console=ttyS0', 'console=ttyS0 console=ttyS0', ['+console=ttyS0']],
  ['all gone', 'a b', '', ['-a', '-b']],
];
test.each(rows)('%s', (_, before, after, want) => {
  expect(diffKargs(before, after)).toEqual(want);
});
