import { randomBytes } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { describe, expect, test } from 'vitest';
import { openButane } from '../../../src/boot/ignition/butane-engine.ts';
import { withFile } from '../../../src/boot/ignition/edit-ignition.ts';
import { validateIgnition } from '../../../src/boot/ignition/validate-ignition.ts';
import { bipIgnition, FIXTURES, tlsFiles } from '../../support/bip-ignition.ts';
import { HAS_WASM, NEEDS_WASM, noButane } from '../../support/butane.ts';
import { HAS_IGNITION_VALIDATE, ignitionValidate } from '../../support/ignition-validate.ts';

const config = (rest: object): string => JSON.stringify({ ignition: { version: '3.2.0' }, ...rest });
const files = (...entries: object[]): string => config({ storage: { files: entries } });
const file = (contents: string, more = {}): string =>
  files({ path: '/a', contents: { source: contents }, ...more });
const units = (...entries: object[]): string => config({ systemd: { units: entries } });
const unit = (contents: string, more = {}): string => units({ name: 'a.service', contents, ...more });

/** What edgefab's own checks say: `level field: message`. */
async function own(text: string): Promise<string[]> {
  const { findings, missing } = await validateIgnition(text, 'x.ign', noButane());
  expect(missing).toMatchObject({ code: 'TOOL_MISSING', exitCode: 4 });
  for (const { place } of findings) expect(place.file).toBe('x.ign');
  return findings.map(({ level, place, message }) => `${level} ${place.field ?? ''}: ${message}`);
}

describe('modes whose decimal digits look octal', () => {
  test.each([
    [755, '0755', 493],
    [644, '0644', 420],
    [600, '0600', 384],
    [700, '0700', 448],
    [400, '0400', 256],
    [777, '0777', 511],
    [1777, '1777', 1023],
  ])('%i means %s', async (mode, octal, decimal) => {
    const [said] = await own(files({ path: '/a', mode }));
    expect(said).toMatch(/^error storage\.files\[0\]\.mode: mode \d+ is decimal/);
    expect(said).toContain(`for ${octal} write ${decimal}`);
  });
  test.each([0, 256, 288, 292, 365, 384, 416, 420, 432, 436, 438, 448, 488, 493, 504, 509, 511, 1023])(
    '%i is a mode people mean',
    async (mode) => expect(await own(files({ path: '/a', mode }))).toEqual([]),
  );
  test('of a directory too', async () => {
    expect(await own(config({ storage: { directories: [{ path: '/d', mode: 755 }] } }))).toHaveLength(1);
  });
});

describe("edgefab's checks", () => {
  test.each<[string, string, RegExp[]]>([
    [
      'a path twice',
      files({ path: '/a' }, { path: '/a' }),
      [/^error storage\.files\[1\]: file \/a is there already, as file at storage\.files\[0\]$/],
    ],
    [
      'a path written in two ways',
      config({ storage: { files: [{ path: '/a//b/' }], links: [{ path: '/a/b', target: 'c' }] } }),
      [/^error storage\.links\[0\]: link \/a\/b is there already, as file/],
    ],
    [
      'a file below a file',
      files({ path: '/a' }, { path: '/a/b/c' }),
      [/^error storage\.files\[1\]: file \/a\/b\/c is below \/a, which is a file/],
    ],
    [
      'a directory below a link',
      config({ storage: { directories: [{ path: '/l/d' }], links: [{ path: '/l', target: '/x' }] } }),
      [/^error storage\.directories\[0\]: .* which is a link/],
    ],
    [
      'a file below a directory',
      config({ storage: { files: [{ path: '/d/a' }], directories: [{ path: '/d' }] } }),
      [],
    ],
    ['a name that begins alike', files({ path: '/a' }, { path: '/ab' }), []],
    [
      'an unreadable data URL',
      file('data:;base64,HU SH'),
      [/^error storage\.files\[0\]\.contents\.source: the content is not a valid data URL$/],
    ],
    [
      'appended gzip that is none',
      files({ path: '/a', append: [{ source: 'data:,x' }, { source: 'data:,x', compression: 'gzip' }] }),
      [/^error storage\.files\[0\]\.append\[1\]\.source: the content does not unpack as gzip$/],
    ],
    ['contents from the network', file('https://a/b'), [/^warning .* needs a network$/]],
    [
      'a certificate that is none',
      file(`data:,${encodeURIComponent('-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n')}`),
      [/^error storage\.files\[0\]\.contents\.source: a certificate in it cannot be read$/],
    ],
    [
      'a certificate without end',
      file('data:,-----BEGIN%20CERTIFICATE-----%0AAAAA'),
      [/a certificate in it cannot be read/],
    ],
    [
      'a broken certificate in base64 in a kubeconfig',
      file(
        `data:;base64,${Buffer.from(`certificate-authority-data: ${Buffer.from('-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n').toString('base64')}`).toString('base64')}`,
      ),
      [/a certificate in it cannot be read/],
    ],
    [
      'an enabled unit without [Install]',
      unit('[Service]\nExecStart=/bin/true\n', { enabled: true }),
      [/^warning systemd\.units\[0\]\.contents: a\.service is enabled, but has no \[Install\] section/],
    ],
    [
      '[Install] in a drop-in',
      unit('[Unit]\n', {
        enabled: true,
        dropins: [{ name: 'x.conf', contents: '[Install]\nWantedBy=a.target\n' }],
      }),
      [],
    ],
    ['an enabled unit of the system', units({ name: 'sshd.service', enabled: true }), []],
    [
      'a unit nobody has',
      unit('[Unit]\nRequires=no.service yes.service\nAfter=no.service\nBefore=agent.target\n'),
      [
        /^warning systemd\.units\[0\]\.contents: Requires=no\.service: no such unit/,
        /Requires=yes\.service/,
        /Before=agent\.target/,
      ],
    ],
    [
      'a unit nobody has, in a drop-in, over two lines',
      units({
        name: 'crio.service',
        dropins: [{ name: 'x.conf', contents: '[Unit]\nWants=crio.service \\\n  no.service\n' }],
      }),
      [/^warning systemd\.units\[0\]\.dropins\[0\]\.contents: Wants=no\.service/],
    ],
    [
      'units of the system, devices, templates, comments',
      unit(
        '[Unit]\nAfter=network-online.target crio.service dev-sda.device var.mount getty@tty1.service systemd-udevd.service %i.service\n# After=no.service\n',
      ),
      [],
    ],
    [
      'units of the config',
      units(
        { name: 'a.service', contents: '[Unit]\nAfter=b@1.service c.service d.service\n' },
        { name: 'b@.service' },
        { name: 'e.service', contents: '[Install]\nAlias=c.service\n' },
      ).replace('}}', '},"storage":{"files":[{"path":"/etc/systemd/system/d.service"}]}}'),
      [],
    ],
    [
      'a shape edgefab cannot read',
      files({ path: '/a', mode: '0644' }),
      [/^error storage\.files\[0\]\.mode: got a JSON string/],
    ],
    [
      'a relative path',
      files({ path: 'a' }),
      [/^error storage\.files\[0\]\.path: got "a", want an absolute path/],
    ],
    [
      'another major version',
      '{"ignition":{"version":"2.2.0"}}',
      [/^error ignition\.version: got "2\.2\.0"/],
    ],
  ])('%s', async (_name, text, want) => {
    const said = await own(text);
    expect(said).toHaveLength(want.length);
    for (const [index, pattern] of want.entries()) expect(said[index]).toMatch(pattern);
    expect(said.join()).not.toContain('HUSH');
  });

  test('a file that alone does not fit, and a config that does not', async () => {
    const said = await own(file(`data:;base64,${randomBytes(300_000).toString('base64')}`));
    expect(said).toEqual([
      expect.stringMatching(
        /^error storage\.files\[0\]\.contents\.source: the content has 300000 bytes, \d+ compressed/,
      ),
      // xz, which the embedding falls back to, might still make it.
      expect.stringMatching(/^warning : the config has \d+ bytes compressed/),
    ]);
    expect(await own(file(`data:;base64,${Buffer.alloc(400_000).toString('base64')}`))).toEqual([]);
  });

  test('line and column are those of the text, errors come first', async () => {
    const text = `{\n "ignition": {"version": "3.2.0"},\n "systemd": {"units": [{"name": "a.service", "enabled": true, "contents": "[Unit]"}]},\n "storage": {"files": [\n  {"path": "/a", "mode": 755}]}\n}`;
    const { findings } = await validateIgnition(text, 'x.ign', noButane());
    expect(findings.map(({ level, place }) => [level, place.line, place.col])).toEqual([
      ['error', 5, 26],
      ['warning', 3, (text.split('\n')[2] ?? '').indexOf('"[Unit]') + 1],
    ]);
  });

  test('what is no JSON is refused', async () => {
    for (const text of ['', 'hello', '['.repeat(100_000), '{"a":'.repeat(100_000)])
      await expect(validateIgnition(text, 'x.ign', noButane())).rejects.toMatchObject({
        code: 'IGNITION_INVALID',
      });
  });

  test('a config of faults is told in part', async () => {
    const said = await own(files(...Array.from({ length: 5000 }, () => ({ path: '/a' }))));
    expect(said).toHaveLength(501);
    expect(said.at(-1)).toBe('error : … and 4499 more');
  });

  test('a bomb does not unpack', async () => {
    const bomb = gzipSync(Buffer.alloc(70_000_000), { level: 1 }).toString('base64');
    expect(
      await own(files({ path: '/a', contents: { source: `data:;base64,${bomb}`, compression: 'gzip' } })),
    ).toEqual([expect.stringContaining('unpacks to more than')]);
  });

  test.each(['4.13', '4.18', '4.21'] as const)('a made-up %s has nothing wrong', async (line) => {
    const ignition = tlsFiles().reduce(withFile, bipIgnition({ line }));
    expect(await own(ignition.text)).toEqual([]);
  });
});

describe.skipIf(!HAS_WASM)(`with Ignition's own validator${NEEDS_WASM}`, () => {
  const validate = async (text: string) => validateIgnition(text, 'x.ign', await openButane());

  test('says what Ignition says, with its place', async () => {
    const { findings, missing } = await validate(
      config({ nonsense: 1, storage: { filesystems: [{ device: 'sda' }] } }),
    );
    expect(missing).toBeUndefined();
    expect(findings).toMatchObject([
      { level: 'error', by: 'ignition', place: { field: 'storage.filesystems[0].device', line: 1 } },
      { level: 'warning', by: 'ignition', place: { field: 'nonsense' } },
    ]);
  });

  test('what both find is said once, by edgefab', async () => {
    const { findings } = await validate(files({ path: '/a', mode: 755 }, { path: '/a' }));
    expect(findings.map(({ by, place }) => `${by} ${place.field}`)).toEqual([
      'edgefab storage.files[0].mode',
      'edgefab storage.files[1]',
    ]);
  });

  const rows: [string, string][] = [
    ['a good config', files({ path: '/a', mode: 420 })],
    ['a path twice', files({ path: '/a' }, { path: '/a' })],
    ['a bad URL', file('data:;base64,*')],
    ['a relative path', files({ path: 'a' })],
    ['a wrong type', files({ path: '/a', mode: '0644' })],
    ['version 2', '{"ignition":{"version":"2.2.0"}}'],
    ['an unknown unit type', units({ name: 'a.thing' })],
    ['an enabled unit without [Install]', unit('[Unit]\n', { enabled: true })],
  ];
  test.skipIf(!HAS_IGNITION_VALIDATE).each(rows)(
    'never passes what ignition-validate refuses (skipped without it): %s',
    async (_name, text) => {
      const { findings } = await validate(text);
      const refused = findings.some(({ level }) => level === 'error');
      expect(refused).toBe(ignitionValidate(text) !== '');
    },
  );

  test.skipIf(FIXTURES === undefined).each([
    ['bip-4.13', 0, 0],
    ['bip-4.18', 0, 0],
    ['bip-4.21', 0, 0],
    // The decimal modes and the unit agent.service of the config made by hand.
    ['redacted-bip-4.13.1', 2, 1],
  ])('%s has %i errors and %i warnings (needs EDGEFAB_FIXTURES)', async (name, errors, warnings) => {
    const text = readFileSync(join(FIXTURES ?? '', 'ignition', `${name}.ign`), 'utf8');
    const { findings } = await validate(text);
    const count = (wanted: string): number => findings.filter(({ level }) => level === wanted).length;
    expect([count('error'), count('warning')]).toEqual([errors, warnings]);
  });
});
