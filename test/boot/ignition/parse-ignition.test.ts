import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { afterAll, describe, expect, test } from 'vitest';
import { fileText } from '../../../src/boot/ignition/file-contents.ts';
import { loadIgnition } from '../../../src/boot/ignition/load-ignition.ts';
import {
  MAX_IGNITION_BYTES,
  parseIgnition,
  serializeIgnition,
} from '../../../src/boot/ignition/parse-ignition.ts';
import { bipIgnition } from '../../support/bip-ignition.ts';

const parse = (text: string): ReturnType<typeof parseIgnition> => parseIgnition(Buffer.from(text), 'x.ign');
const V = '"ignition":{"version":"3.2.0"}';

describe('an untouched config is the bytes that were read', () => {
  test.each([
    ['Go escapes', `{${V},"x":"a\\u003cb\\u0026\\u2028"}`],
    ['unknown fields and odd order', `{"zz":[1,2.50,1e3,null,true],${V},"a":{"b":{}}}`],
    ['indentation and a last line break', `{\n\t"ignition" : { "version": "3.4.0" }\n}\n`],
    [
      'what edgefab has no view of',
      `{${V},"storage":{"luks":[{"name":"a","clevis":{"tang":[{"url":"https://t"}]}}],"disks":[{"device":"/dev/sda"}],"raid":[],"filesystems":null},"kernelArguments":{"shouldExist":["a"]}}`,
    ],
    [
      'directories, links and drop-ins',
      `{${V},"storage":{"directories":[{"path":"/d","mode":1777}],"links":[{"path":"/l","target":"d","hard":null}]},"systemd":{"units":[{"name":"a.service","dropins":[{"name":"x.conf","contents":"\\u0026"}]}]}}`,
    ],
    ['a lone surrogate escape', `{${V},"x":"\\ud800"}`],
  ])('%s', (_name, text) => {
    expect(Buffer.from(serializeIgnition(parse(text))).toString()).toBe(text);
  });
});

describe('parseIgnition refuses, naming the field', () => {
  const files = (entries: string): string => `{${V},"storage":{"files":[${entries}]}}`;
  test.each([
    ['no JSON', 'hello', /x\.ign:1:1: not valid JSON/],
    ['an empty file', '', /ends too early/],
    ['a text that ends early', `{${V}`, /want , or }/],
    ['text after the end', `{${V}} x`, /after the end/],
    ['a comma too much', `{${V},}`, /comma before/],
    ['a key given twice', `{${V},"a":1,\n"a":2}`, /x\.ign:2:1: .*"a" comes twice/],
    ['a list at the top', '[]', /\(top\): got a JSON array, want an object/],
    ['no version', '{"ignition":{}}', /ignition\.version: got nothing, want a text/],
    [
      'another major version',
      '{"ignition":{"version":"2.2.0"}}',
      /ignition\.version: got "2\.2\.0", want a 3\.x/,
    ],
    [
      'files that are no list',
      `{${V},"storage":{"files":{}}}`,
      /storage\.files: got a JSON object, want an array/,
    ],
    ['a file without path', files('{"mode":1}'), /storage\.files\[0\]\.path: got nothing/],
    [
      'a relative path',
      files('{"path":"etc/x"}'),
      /storage\.files\[0\]\.path: got "etc\/x", want an absolute path/,
    ],
    ['a mode too big', files('{"path":"/a","mode":4096}'), /storage\.files\[0\]\.mode: got 4096, want/],
    ['a mode as text', files('{"path":"/a","mode":"0644"}'), /storage\.files\[0\]\.mode: got a JSON string/],
    [
      'a path twice',
      files('{"path":"/a"},{"path":"/a"}'),
      /storage\.files\[1\]\.path: got "\/a", which is at storage\.files\[0\]\.path/,
    ],
    [
      'a path that is a link too',
      `{${V},"storage":{"files":[{"path":"/a"}],"links":[{"path":"/a"}]}}`,
      /storage\.links\[0\]\.path/,
    ],
    [
      'a unit twice',
      `{${V},"systemd":{"units":[{"name":"a.service"},{"name":"a.service"}]}}`,
      /systemd\.units\[1\]\.name/,
    ],
    [
      'a drop-in twice',
      `{${V},"systemd":{"units":[{"name":"a.service","dropins":[{"name":"b"},{"name":"b"}]}]}}`,
      /units\[0\]\.dropins\[1\]\.name/,
    ],
    [
      'an enabled that is text',
      `{${V},"systemd":{"units":[{"name":"a.service","enabled":"yes"}]}}`,
      /units\[0\]\.enabled: .*true or false/,
    ],
    [
      'a directory with a relative path',
      `{${V},"storage":{"directories":[{"path":"d"}]}}`,
      /storage\.directories\[0\]\.path: got "d", want an absolute path/,
    ],
    [
      'a link target that is a number',
      `{${V},"storage":{"links":[{"path":"/l","target":1}]}}`,
      /storage\.links\[0\]\.target: got a JSON number/,
    ],
    ['a depth meant to hurt', `{${V},"x":${'['.repeat(5000)}`, /nested deeper/],
  ])('%s', (_name, text, message) => {
    expect(() => parse(text)).toThrow(
      expect.objectContaining({ code: 'IGNITION_INVALID', message: expect.stringMatching(message) }),
    );
  });

  test('bytes that are no UTF-8', () => {
    expect(() => parseIgnition(Uint8Array.of(0x7b, 0xff), 'x.ign')).toThrow(/not UTF-8/);
  });

  test('more bytes than any real config has', () => {
    expect(() => parseIgnition(Buffer.alloc(MAX_IGNITION_BYTES + 1), 'x.ign')).toThrow(/want at most/);
  });

  test('and never quotes the text around a fault', () => {
    expect(() => parse(`{${V},"passwordHash":"$6$SECRET"oops}`)).toThrow(/^(?!.*SECRET)/);
  });
});

describe('fileText', () => {
  const gz = `data:;base64,${gzipSync('packed').toString('base64')}`;
  const ignition = parse(
    `{${V},"storage":{"files":[{"path":"/gz","contents":{"source":"${gz}","compression":"gzip"}},` +
      `{"path":"/app","contents":{"source":"data:,a"},"append":[{"source":"data:,b"}]},` +
      `{"path":"/web","contents":{"source":"https://example.com/"}},{"path":"/none"},` +
      `{"path":"/bad","contents":{"source":"data:;base64,*"}}]}}`,
  );
  test.each([
    ['unpacks gzip', '/gz', 'packed'],
    ['joins contents and appends', '/app', 'ab'],
    ['knows nothing of remote content', '/web', undefined],
    ['is empty without contents', '/none', ''],
    ['knows no absent file', '/absent', undefined],
  ])('%s', (_name, path, want) => {
    expect(fileText(ignition, path)).toBe(want);
  });
  test('names the file whose data URL is bad', () => {
    expect(() => fileText(ignition, '/bad')).toThrow(/content of \/bad is not a valid data URL/);
  });
});

describe('loadIgnition', () => {
  const folder = mkdtempSync(join(tmpdir(), 'edgefab-ign-'));
  afterAll(() => rmSync(folder, { recursive: true }));

  test('reads a file', async () => {
    const path = join(folder, 'a.ign');
    const bytes = serializeIgnition(bipIgnition());
    writeFileSync(path, bytes);
    const loaded = await loadIgnition(path);
    expect(Buffer.compare(serializeIgnition(loaded), bytes)).toBe(0);
    expect(loaded.where).toBe(path);
  });
  test('tells of a file that is not there', async () => {
    await expect(loadIgnition(join(folder, 'no.ign'))).rejects.toMatchObject({ code: 'FILE_UNREADABLE' });
  });
  test('tells of a folder', async () => {
    await expect(loadIgnition(folder)).rejects.toMatchObject({ code: 'FILE_UNREADABLE' });
  });
});
