import { describe, expect, test } from 'vitest';
import {
  withDropin,
  withFile,
  withFileText,
  withoutFile,
  withUnit,
} from '../../../src/boot/ignition/edit-ignition.ts';
import { fileText } from '../../../src/boot/ignition/file-contents.ts';
import type { Ignition } from '../../../src/boot/ignition/ignition.ts';
import { parseIgnitionText } from '../../../src/boot/ignition/parse-ignition.ts';

const V = '"ignition":{"version":"3.2.0"}';
const parse = (text: string): Ignition => parseIgnitionText(text, 'x.ign');
const HI = 'data:text/plain;charset=utf-8;base64,aGk=';
const A = { path: '/a', mode: 0o644, text: 'hi' };
const ENTRY = `{"overwrite":true,"path":"/a","user":{"name":"root"},"contents":{"source":"${HI}"},"mode":420}`;

describe('a change touches only its place', () => {
  const rows: [string, string, (ignition: Ignition) => Ignition, string][] = [
    ['first file, no storage', `{${V}}`, (i) => withFile(i, A), `{${V},"storage":{"files":[${ENTRY}]}}`],
    [
      'first file, empty list',
      `{${V},"storage":{"files":[]} }`,
      (i) => withFile(i, A),
      `{${V},"storage":{"files":[${ENTRY}]} }`,
    ],
    [
      'a file after others, escapes kept',
      `{${V},"storage":{"files":[{"path":"/b","x":"\\u003c"}],"y":1e3}}`,
      (i) => withFile(i, A),
      `{${V},"storage":{"files":[{"path":"/b","x":"\\u003c"},${ENTRY}],"y":1e3}}`,
    ],
    [
      'a file in place of another',
      `{${V},"storage":{"files":[{"path":"/a","mode":1},{"path":"/b"}]}}`,
      (i) => withFile(i, A),
      `{${V},"storage":{"files":[${ENTRY},{"path":"/b"}]}}`,
    ],
    [
      'the first file gone',
      `{${V},"storage":{"files":[ {"path":"/a"} , {"path":"/b"} ],"y":1e3}}`,
      (i) => withoutFile(i, '/a'),
      `{${V},"storage":{"files":[ {"path":"/b"} ],"y":1e3}}`,
    ],
    [
      'the last file gone',
      `{${V},"storage":{"files":[{"path":"/b"} , {"path":"/a"} ]}}`,
      (i) => withoutFile(i, '/a'),
      `{${V},"storage":{"files":[{"path":"/b"} ]}}`,
    ],
    [
      'the only file gone',
      `{${V},"storage":{"files":[{"path":"/a"}]}}`,
      (i) => withoutFile(i, '/a'),
      `{${V},"storage":{"files":[]}}`,
    ],
    [
      'the text of a file, all else kept',
      `{${V},"storage":{"files":[{"path":"/a","mode":7,"contents":{"verification":{},"source":"data:,old"},"zz":1}]}}`,
      (i) => withFileText(i, '/a', 'hi'),
      `{${V},"storage":{"files":[{"path":"/a","mode":7,"contents":{"verification":{},"source":"${HI}"},"zz":1}]}}`,
    ],
    [
      'a unit with Go escapes',
      `{${V},"systemd":{"units":[{"name":"b.service"}]}}`,
      (i) => withUnit(i, { name: 'a.service', enabled: true, contents: 'a && b <c>' }),
      `{${V},"systemd":{"units":[{"name":"b.service"},{"contents":"a \\u0026\\u0026 b \\u003cc\\u003e","enabled":true,"name":"a.service"}]}}`,
    ],
    [
      'the contents of a unit that is there',
      `{${V},"systemd":{"units":[{"contents":"old","mask":false,"name":"a.service"}]}}`,
      (i) => withUnit(i, { name: 'a.service', enabled: true, contents: 'new' }),
      `{${V},"systemd":{"units":[{"contents":"new","mask":false,"name":"a.service","enabled":true}]}}`,
    ],
    [
      'a drop-in for a unit of the system',
      `{${V}}`,
      (i) => withDropin(i, 'a.service', { name: 'x.conf', contents: 'c' }),
      `{${V},"systemd":{"units":[{"dropins":[{"contents":"c","name":"x.conf"}],"name":"a.service"}]}}`,
    ],
    [
      'a second drop-in',
      `{${V},"systemd":{"units":[{"name":"a.service","dropins":[{"name":"w.conf"}]}]}}`,
      (i) => withDropin(i, 'a.service', { name: 'x.conf', contents: 'c' }),
      `{${V},"systemd":{"units":[{"name":"a.service","dropins":[{"name":"w.conf"},{"contents":"c","name":"x.conf"}]}]}}`,
    ],
    [
      'a drop-in in place of another',
      `{${V},"systemd":{"units":[{"name":"a.service","dropins":[{"name":"x.conf","contents":"old"}]}]}}`,
      (i) => withDropin(i, 'a.service', { name: 'x.conf', contents: 'c' }),
      `{${V},"systemd":{"units":[{"name":"a.service","dropins":[{"contents":"c","name":"x.conf"}]}]}}`,
    ],
    [
      'an indented config stays indented',
      `{\n  ${V},\n  "systemd": {\n    "units": [\n      {\n        "name": "a.service"\n      }\n    ]\n  }\n}\n`,
      (i) => withDropin(i, 'a.service', { name: 'x.conf', contents: 'c' }),
      `{\n  ${V},\n  "systemd": {\n    "units": [\n      {\n        "name": "a.service",\n        "dropins": [\n          {\n            "contents": "c",\n            "name": "x.conf"\n          }\n        ]\n      }\n    ]\n  }\n}\n`,
    ],
  ];
  test.each(rows)('%s', (_name, before, change, after) => {
    const changed = change(parse(before));
    expect(changed.text).toBe(after);
    // The same change again is no change at all.
    expect(change(changed)).toBe(changed);
  });
});

test('the config that was changed is another value', () => {
  const before = parse(`{${V}}`);
  const after = withFile(before, A);
  expect(fileText(before, '/a')).toBeUndefined();
  expect(fileText(after, '/a')).toBe('hi');
});

test.each([
  ['an absent file', '/no'],
  ['a file with appended content', '/app'],
  ['a compressed file', '/gz'],
])('withFileText refuses %s', (_name, path) => {
  const ignition = parse(
    `{${V},"storage":{"files":[{"path":"/app","append":[{"source":"data:,x"}]},{"path":"/gz","contents":{"source":"data:,x","compression":"gzip"}}]}}`,
  );
  expect(() => withFileText(ignition, path, 'x')).toThrow(
    expect.objectContaining({ code: 'IGNITION_INVALID' }),
  );
});
