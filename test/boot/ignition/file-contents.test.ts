import { gzipSync } from 'node:zlib';
import { describe, expect, test } from 'vitest';
import { fileBytes, fileText } from '../../../src/boot/ignition/file-contents.ts';
import { parseIgnitionText, serializeIgnition } from '../../../src/boot/ignition/parse-ignition.ts';
import { showFile, showIgnition } from '../../../src/boot/ignition/show-ignition.ts';

const config = (file: object): ReturnType<typeof parseIgnitionText> =>
  parseIgnitionText(
    JSON.stringify({ ignition: { version: '3.4.0' }, storage: { files: [{ path: '/a', ...file }] } }),
    'x.ign',
  );
const gzip = (text: string): string => gzipSync(text).toString('base64');
const zeros = (bytes: number): string => gzipSync(Buffer.alloc(bytes)).toString('base64');

describe('the text of a file as the machine gets it', () => {
  test.each<[string, object, string | undefined]>([
    ['plain', { contents: { source: 'data:,hi%20there' } }, 'hi there'],
    ['base64', { contents: { source: 'data:text/plain;charset=utf-8;base64,aGk=' } }, 'hi'],
    ['base64 without padding', { contents: { source: 'data:;base64,aGk' } }, 'hi'],
    ['percent signs in base64', { contents: { source: 'data:;base64,aGk%3D' } }, 'hi'],
    ['a scheme in capitals', { contents: { source: 'DATA:,hi' } }, 'hi'],
    ['no source', { contents: {} }, ''],
    ['an empty source', { contents: { source: '' } }, ''],
    ['no contents', {}, ''],
    ['gzip', { contents: { source: `data:;base64,${gzip('hi')}`, compression: 'gzip' } }, 'hi'],
    ['an empty compression', { contents: { source: 'data:,hi', compression: '' } }, 'hi'],
    [
      'plain, then gzip appended, then plain',
      {
        contents: { source: 'data:,1' },
        append: [
          { source: `data:;base64,${gzip('2')}`, compression: 'gzip' },
          { source: 'data:;base64,Mw==' },
        ],
      },
      '123',
    ],
    ['appended to what the system has', { append: [{ source: 'data:,x' }] }, 'x'],
    ['a part from elsewhere', { append: [{ source: 'data:,x' }, { source: 'https://a/b' }] }, undefined],
  ])('%s', (_name, file, want) => {
    const ignition = config(file);
    expect(fileText(ignition, '/a')).toBe(want);
    expect(Buffer.from(serializeIgnition(ignition)).toString()).toBe(ignition.text);
  });
});

describe('what cannot be read is refused, and its content not quoted', () => {
  const MiB = 1024 * 1024;
  test.each<[string, object, RegExp]>([
    [
      'letters that are no base64',
      { contents: { source: 'data:;base64,HU SH' } },
      /\/a is not a valid data URL/,
    ],
    ['a lonely letter of base64', { contents: { source: 'data:;base64,HUSHH' } }, /not a valid data URL/],
    ['too much padding', { contents: { source: 'data:;base64,HUSH==' } }, /not a valid data URL/],
    ['a cut percent sign', { contents: { source: 'data:,HUSH%4' } }, /not a valid data URL/],
    ['no comma', { contents: { source: 'data:HUSH' } }, /not a valid data URL/],
    ['no gzip', { contents: { source: 'data:,HUSH', compression: 'gzip' } }, /does not unpack as gzip/],
    ['another compression', { contents: { source: 'data:,HUSH', compression: 'xz' } }, /as "xz", want gzip/],
    [
      'a bomb',
      { contents: { source: `data:;base64,${zeros(65 * MiB)}`, compression: 'gzip' } },
      /unpacks to more than 67108864 bytes/,
    ],
    [
      'bombs that are small alone',
      { append: Array(5).fill({ source: `data:;base64,${zeros(16 * MiB)}`, compression: 'gzip' }) },
      /unpacks to more than/,
    ],
  ])('%s', (_name, file, message) => {
    const ignition = config(file);
    const [only] = ignition.files;
    const read = (): unknown => (only === undefined ? undefined : fileBytes(ignition, only));
    expect(read).toThrow(
      expect.objectContaining({
        code: 'IGNITION_INVALID',
        message: expect.stringMatching(message),
        place: { file: 'x.ign', field: '/a' },
      }),
    );
    expect(read).not.toThrow(/HUSH/);
  });
});

test('ten megabytes in one data URL are read and shown', () => {
  const ignition = config({
    contents: { source: `data:;base64,${Buffer.alloc(10_000_000, 'a').toString('base64')}` },
  });
  expect(showIgnition(ignition).files).toMatchObject([{ sizeBytes: 10_000_000, secret: false }]);
});

describe('showFile', () => {
  test.each<[string, object, object]>([
    ['a text', { mode: 0o755, contents: { source: 'data:,hi' } }, { mode: '0755', text: 'hi' }],
    [
      'a compressed text',
      { contents: { source: `data:;base64,${gzip('hi')}`, compression: 'gzip' } },
      { text: 'hi' },
    ],
    ['no text', { contents: { source: 'data:;base64,AAE=' } }, { sizeBytes: 2, text: undefined }],
    ['not UTF-8', { contents: { source: 'data:;base64,/w==' } }, { sizeBytes: 1, text: undefined }],
    ['from elsewhere', { contents: { source: 'https://a/b' } }, { sizeBytes: null, text: undefined }],
    [
      'a secret that is compressed',
      { contents: { source: `data:;base64,${gzip('-----BEGIN PRIVATE KEY-----')}`, compression: 'gzip' } },
      { secret: true, text: undefined, sha256: undefined },
    ],
  ])('%s', (_name, file, want) => {
    const shown = showFile(config(file), '/a');
    expect({ text: undefined, sha256: undefined, ...shown }).toMatchObject(want);
  });
  test('an unknown path is told with a near one', () => {
    const ignition = parseIgnitionText(
      '{"ignition":{"version":"3.2.0"},"storage":{"files":[{"path":"/etc/chrony.conf"}]}}',
      'x.ign',
    );
    expect(() => showFile(ignition, '/etc/chrony.con')).toThrow(
      expect.objectContaining({ code: 'USAGE_INVALID', suggestions: ['Did you mean /etc/chrony.conf?'] }),
    );
  });
});
