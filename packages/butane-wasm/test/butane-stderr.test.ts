import { expect, test } from 'vitest';
import { parseButaneStderr } from '../src/butane-stderr.ts';

test.each([
  ['nothing', '', [], ''],
  [
    'a place, line and column',
    'warning at $.storage.files.0.mode, line 6 col 13: unreasonable mode: x\n',
    [
      {
        kind: 'warning',
        path: '$.storage.files.0.mode',
        line: 6,
        column: 13,
        message: 'unreasonable mode: x',
      },
    ],
    '',
  ],
  [
    'only a line',
    'error at line 2 col 1: bad\n',
    [{ kind: 'error', line: 2, column: 1, message: 'bad' }],
    '',
  ],
  ['only a place', 'info at $.x: note\n', [{ kind: 'info', path: '$.x', message: 'note' }], ''],
  [
    'broken YAML',
    'Error translating config: yaml: line 3: did not find x\n',
    [{ kind: 'error', line: 3, message: 'did not find x' }],
    'Error translating config: yaml: line 3: did not find x',
  ],
  [
    'YAML of a wrong type, over two lines',
    'Error translating config: yaml: unmarshal errors:\n  line 3: cannot unmarshal\n',
    [{ kind: 'error', line: 3, message: 'cannot unmarshal' }],
    'Error translating config: yaml: unmarshal errors:',
  ],
  [
    'a strict failure is no error of the document',
    'warning: a\nConfig produced warnings and --strict was specified\n',
    [{ kind: 'warning', message: 'a' }],
    'Config produced warnings and --strict was specified',
  ],
])('parses %s', (_name, stderr, entries, summary) => {
  expect(parseButaneStderr(stderr)).toEqual({ entries, summary });
});
