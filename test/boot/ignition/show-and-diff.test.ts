import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { diffIgnition } from '../../../src/boot/ignition/diff-ignition.ts';
import { withDropin, withFile, withFileText, withUnit } from '../../../src/boot/ignition/edit-ignition.ts';
import type { Ignition } from '../../../src/boot/ignition/ignition.ts';
import { diffLines } from '../../../src/boot/ignition/line-diff.ts';
import { loadIgnition } from '../../../src/boot/ignition/load-ignition.ts';
import { parseIgnitionText } from '../../../src/boot/ignition/parse-ignition.ts';
import { showIgnition } from '../../../src/boot/ignition/show-ignition.ts';
import { decodeDataUrl } from '../../../src/formats/data-url.ts';
import { bipIgnition, FIXTURES } from '../../support/bip-ignition.ts';

const V = '"ignition":{"version":"3.2.0"}';
const parse = (text: string): Ignition => parseIgnitionText(text, 'x.ign');
const CONFIG = parse(
  `{${V},"passwd":{"users":[{"name":"core","passwordHash":"$6$salt$HUSHHASH","sshAuthorizedKeys":["ssh-ed25519 AAAAHUSHKEY core@bip"]}]},` +
    `"storage":{"files":[{"path":"/a.sh","mode":493,"user":{"name":"root"},"contents":{"source":"data:,one%0Atwo%0Athree%0Afour%0Afive%0A"}},` +
    `{"path":"/opt/x.key","mode":384,"group":{"id":7},"contents":{"source":"data:,HUSH"}},` +
    `{"path":"/plain","contents":{"source":"data:,-----BEGIN%20RSA%20PRIVATE%20KEY-----HUSH"}}]},` +
    `"systemd":{"units":[{"name":"a.service","enabled":true,"contents":"[Unit]\\n"},{"name":"b.service","dropins":[{"name":"d.conf","contents":"x"}]}]}}`,
);

describe('showIgnition', () => {
  test('tells files, units and users', () => {
    expect(showIgnition(CONFIG)).toMatchObject({
      version: '3.2.0',
      files: [
        { path: '/a.sh', mode: '0755', sizeBytes: 24, owner: 'root', secret: false, appended: false },
        { path: '/opt/x.key', mode: '0600', sizeBytes: 4, owner: 'root:7', secret: true },
        { path: '/plain', mode: null, secret: true },
      ],
      units: [
        { name: 'a.service', enabled: true, hasContents: true, dropins: [] },
        { name: 'b.service', enabled: null, hasContents: false, dropins: ['d.conf'] },
      ],
      users: [{ name: 'core', sshKeys: ['ssh-ed25519 core@bip'], hasPassword: true }],
    });
  });
  test('tells directories and links', () => {
    const ignition = parse(
      `{${V},"storage":{"directories":[{"path":"/d","mode":448,"user":{"name":"core"}}],"links":[{"path":"/l","target":"/x"},{"path":"/h","target":"/y","hard":true}]}}`,
    );
    expect(showIgnition(ignition)).toMatchObject({
      directories: [{ path: '/d', mode: '0700', owner: 'core' }],
      links: [
        { path: '/l', target: '/x', hard: false },
        { path: '/h', target: '/y', hard: true },
      ],
    });
  });
  test('keeps secrets to itself', () => {
    expect(JSON.stringify(showIgnition(CONFIG))).not.toContain('HUSH');
  });
});

describe('diffIgnition', () => {
  const rows: [string, Ignition, string[]][] = [
    ['nothing', CONFIG, []],
    ['a file added', withFile(CONFIG, { path: '/n', mode: 0o600, text: 'hi' }), ['added file /n']],
    [
      'a text changed',
      withFileText(CONFIG, '/a.sh', 'one\ntwo\n3\nfour\nfive\n'),
      ['changed file /a.sh | one| two|-three|+3| four| five|…'],
    ],
    [
      'a secret changed',
      withFileText(CONFIG, '/opt/x.key', 'HUSH2'),
      ['changed file /opt/x.key |content (secret) changed: 4 → 5 bytes'],
    ],
    [
      'a mode changed',
      parse(CONFIG.text.replace('"mode":493', '"mode":420')),
      ['changed file /a.sh |mode 0755 → 0644'],
    ],
    [
      'a hidden field changed',
      parse(CONFIG.text.replace('"mode":493', '"mode":493,"overwrite":true')),
      ['changed file /a.sh |other fields changed'],
    ],
    [
      'a unit switched off',
      withUnit(CONFIG, { name: 'a.service', enabled: false, contents: '[Unit]\n' }),
      ['changed unit a.service |state enabled → disabled'],
    ],
    [
      'a unit added',
      withUnit(CONFIG, { name: 'c.service', enabled: true, contents: 'x' }),
      ['added unit c.service |enabled'],
    ],
    [
      'a drop-in of a system unit',
      withDropin(CONFIG, 'crio.service', { name: 'e.conf', contents: 'y' }),
      ['added dropin crio.service.d/e.conf |+y'],
    ],
    [
      'a drop-in changed',
      withDropin(CONFIG, 'b.service', { name: 'd.conf', contents: 'y' }),
      ['changed dropin b.service.d/d.conf |-x|+y'],
    ],
    [
      'a password changed',
      parse(CONFIG.text.replace('HUSHHASH', 'HUSHHASH2')),
      ['changed user core |password changed'],
    ],
    [
      'a key changed',
      parse(CONFIG.text.replace('HUSHKEY', 'HUSHKEY2')),
      ['changed user core |ssh keys changed: 1 → 1'],
    ],
    [
      'another field changed',
      parse(CONFIG.text.replace('"3.2.0"', '"3.3.0"')),
      ['changed other ignition |changed'],
    ],
    [
      'only order and spacing',
      parse(CONFIG.text.replace('"path":"/a.sh","mode":493', '"mode":493 , "path":"/a.sh"')),
      [],
    ],
  ];
  test.each(rows)('%s', (_name, after, want) => {
    const lines = diffIgnition(CONFIG, after).map(({ kind, what, path, detail }) =>
      kind === 'added' && what === 'file'
        ? `${kind} ${what} ${path}`
        : `${kind} ${what} ${path} |${detail.join('|')}`,
    );
    expect(lines).toEqual(want);
    expect(JSON.stringify(lines)).not.toContain('HUSH');
  });
  test.each<[string, string, string, string[]]>([
    [
      'a directory added',
      '',
      '"directories":[{"path":"/d","mode":493}]',
      ['added directory /d |mode 0755, owner root'],
    ],
    [
      'a directory changed',
      '"directories":[{"path":"/d","mode":493}]',
      '"directories":[{"path":"/d","mode":448,"user":{"id":7}}]',
      ['changed directory /d |mode 0755 → 0700|owner root → 7'],
    ],
    [
      'a directory removed',
      '"directories":[{"path":"/d"}]',
      '',
      ['removed directory /d |mode (default), owner root'],
    ],
    [
      'a link elsewhere',
      '"links":[{"path":"/l","target":"/a"}]',
      '"links":[{"path":"/l","target":"/b","hard":true}]',
      ['changed link /l |kind symbolic → hard|target /a → /b'],
    ],
    [
      'a hidden field of a link',
      '"links":[{"path":"/l","target":"/a"}]',
      '"links":[{"path":"/l","target":"/a","overwrite":true}]',
      ['changed link /l |other fields changed'],
    ],
    ['disks', '', '"luks":[{"name":"HUSH"}]', ['added other storage.luks |']],
  ])('%s', (_name, before, after, want) => {
    const [a, b] = [before, after].map((storage) => parse(`{${V},"storage":{${storage}}}`));
    const changes = a === undefined || b === undefined ? [] : diffIgnition(a, b);
    expect(
      changes.map(({ kind, what, path, detail }) => `${kind} ${what} ${path} |${detail.join('|')}`),
    ).toEqual(want);
  });
  test('a removal is the other way round', () => {
    const bigger = withFile(CONFIG, { path: '/n', mode: 0o600, text: 'hi' });
    expect(diffIgnition(bigger, CONFIG)).toMatchObject([{ kind: 'removed', what: 'file', path: '/n' }]);
  });
});

describe('diffLines', () => {
  test.each([
    ['equal texts', 'a\nb', 'a\nb', ['…']],
    ['an insertion', 'a\nb', 'a\nx\nb', [' a', '+x', ' b']],
    ['a removal at the end', 'a\nb\nc\nd', 'a\nb\nc', ['…', ' b', ' c', '-d']],
    [
      'two places',
      '1\n2\n3\n4\n5\n6\n7\n8\n9',
      'x\n2\n3\n4\n5\n6\n7\n8\ny',
      ['-1', '+x', ' 2', ' 3', '…', ' 7', ' 8', '-9', '+y'],
    ],
  ])('%s', (_name, before, after, want) => {
    expect(diffLines(before, after)).toEqual(want);
  });
  test('too many lines are shown as replaced', () => {
    const many = (word: string): string => Array.from({ length: 3000 }, (_, n) => `${word}${n}`).join('\n');
    expect(diffLines(many('a'), many('b'))).toHaveLength(6000);
  });
});

test('the made-up scripts are no secrets, so that their changes can be read', () => {
  const secrets = showIgnition(bipIgnition()).files.filter((file) => file.secret);
  expect(secrets.map((file) => file.path)).toEqual([]);
});

describe.skipIf(FIXTURES === undefined)('real configs (needs EDGEFAB_FIXTURES)', () => {
  test.each(['bip-4.13', 'bip-4.18', 'bip-4.21', 'redacted-bip-4.13.1'])(
    '%s shows no secret',
    async (name) => {
      const path = join(FIXTURES ?? '', 'ignition', `${name}.ign`);
      const ignition = await loadIgnition(path);
      expect(ignition.text).toBe(readFileSync(path, 'utf8'));
      const shown = showIgnition(ignition);
      const secret = new Set(shown.files.filter((file) => file.secret).map((file) => file.path));
      for (const file of ignition.files) {
        const text = Buffer.from(decodeDataUrl(file.contents?.source ?? 'data:,').bytes).toString();
        if (/PRIVATE KEY|"auth"|client-key-data|kubeadmin:/.test(text)) expect(secret).toContain(file.path);
        if (file.path.endsWith('.sh')) expect(secret).not.toContain(file.path);
        if (file.path.endsWith('.crt')) expect(secret).not.toContain(file.path);
      }
    },
  );
});
