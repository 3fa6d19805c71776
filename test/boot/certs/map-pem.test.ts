import { gzipSync } from 'node:zlib';
import { describe, expect, test } from 'vitest';
import { mapPem } from '../../../src/boot/certs/map-pem.ts';
import { encodePem } from '../../../src/formats/pem.ts';

const OLD = Buffer.alloc(300, 1);
const NEW = Buffer.alloc(300, 2);
const pem = (der: Uint8Array): string => encodePem({ label: 'CERTIFICATE', der });
const base64 = (text: string | Uint8Array): string => Buffer.from(text).toString('base64');
const wrap = (text: string, width: number, gap: string): string =>
  (text.match(new RegExp(`.{1,${width}}`, 'g')) ?? []).join(gap);
const percent = (text: string): string =>
  text.replace(
    /[^A-Za-z0-9._~:@/=-]/g,
    (odd) => `%${odd.charCodeAt(0).toString(16).toUpperCase().padStart(2, '0')}`,
  );

/** How a certificate stands in the files of a config, each as a function of its bytes. */
const PLACES: Readonly<Record<string, (der: Uint8Array) => string>> = {
  'a file': pem,
  'a file without a last line end': (der) => pem(der).trimEnd(),
  'a file with CRLF': (der) => pem(der).replaceAll('\n', '\r\n'),
  'a YAML block scalar': (der) => `data:\n  ca.crt: |\n${pem(der).replace(/^/gm, '    ')}kind: ConfigMap\n`,
  'a string of JSON': (der) => JSON.stringify({ ca: pem(der), other: 'x' }),
  'a string of YAML in double quotes': (der) => `ca: "${pem(der).replaceAll('\n', '\\n')}"\nnext: 1\n`,
  'base64 in a kubeconfig': (der) =>
    `  certificate-authority-data: ${base64(pem(der))}\n  server: https://x\n`,
  'base64 without padding': (der) => `x: ${base64(pem(der)).replace(/=+$/, '')}\n`,
  'base64 over several lines': (der) =>
    `tls.crt: |\n    ${wrap(base64(pem(der)), 76, '\n    ')}\ntype: Opaque\n`,
  'base64 over several lines, then a word': (der) =>
    `a: |\n  ${wrap(base64(pem(der)), 60, '\n  ')}\n  word\n`,
  'a data URL in base64': (der) => `"source": "data:text/plain;charset=utf-8;base64,${base64(pem(der))}"`,
  'a data URL, percent-encoded': (der) => `source: data:,${percent(pem(der))}\n`,
  'a base64 data URL with encoded padding': (der) =>
    `source: data:;base64,${base64(`${pem(der)}xy`).replaceAll('=', '%3D')}\n`,
  'a config in a Secret': (der) =>
    `userData: ${base64(JSON.stringify({ source: `data:;base64,${base64(pem(der))}` }))}\n`,
  'a compressed file in a MachineConfig': (der) =>
    `source: data:;base64,${base64(gzipSync(pem(der), { level: 9 }))}\n`,
  'a kubeconfig in a percent-encoded data URL': (der) =>
    `source: data:,${percent(`ca: ${base64(pem(der))}\n`)}\n`,
};

describe.each(Object.entries(PLACES))('a certificate in %s', (name, place) => {
  const text = `before\n${place(OLD)}after\n`;

  test('is seen once', () => {
    const seen: Buffer[] = [];
    const same = mapPem(text, ({ label, der }) => {
      expect(label).toBe('CERTIFICATE');
      seen.push(Buffer.from(der));
      return undefined;
    });
    expect(seen).toEqual([OLD]);
    expect(same).toBe(text);
  });

  test('is replaced, and nothing else', () => {
    // Percent-encoded padding comes out plain: the same data.
    const want = `before\n${place(NEW)}after\n`.replaceAll('%3D', name.includes('padding') ? '=' : '%3D');
    expect(mapPem(text, () => NEW)).toBe(want);
  });
});

test('several in one text are shown in order', () => {
  const ders = [1, 2, 3, 4].map((fill) => Buffer.alloc(200, fill));
  const [a = OLD, b = OLD, c = OLD, d = OLD] = ders;
  const text = `${pem(a)}\n${pem(b)}ca: ${base64(pem(c))}\nx: ${base64(pem(d))}\n`;
  const seen: number[] = [];
  mapPem(text, ({ der }) => {
    seen.push(der[0] ?? 0);
    return undefined;
  });
  expect(seen).toEqual([1, 2, 3, 4]);
});

describe('text that is none of this stays as it is', () => {
  test.each([
    ['digests', `sha256:${'0a1b2c3d'.repeat(8)} and ${'f'.repeat(200)}`],
    [
      'a gzip that is damaged',
      base64(Buffer.concat([gzipSync(Buffer.alloc(1000, 65)).subarray(0, 20), OLD])),
    ],
    [
      'base64 within base64 without end',
      [...Array(12)].reduce((text: string) => base64(text), 'x'.repeat(40)),
    ],
    ['a megabyte of one letter', 'A'.repeat(1_000_000)],
    ['a data URL without end', `data:,${'%41'.repeat(100_000)}`],
    ['many beginnings', '-----BEGIN CERTIFICATE-----\n'.repeat(20_000)],
  ])('%s', (_name, text) => {
    expect(mapPem(text, () => NEW)).toBe(text);
  });
});

test('a decompression bomb is refused, also in many parts', () => {
  const bomb = base64(gzipSync(Buffer.alloc(12 * 1024 * 1024)));
  expect(mapPem(bomb, () => NEW)).toBe(bomb);
  expect(() => mapPem([bomb, bomb, bomb].join('\n'), () => NEW)).toThrow(
    'unpacks to more than 33554432 bytes',
  );
});
