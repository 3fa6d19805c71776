import { chmod, mkdir, mkdtemp, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { createButane } from '../src/butane.ts';
import { ButaneError } from '../src/butane-error.ts';
import { parseButaneStderr } from '../src/butane-stderr.ts';
import type { TranslateOptions } from '../src/translate.ts';
import { butaneProgram, hasWasm, NEEDS_BUTANE, NEEDS_WASM, runPeer } from './engines.ts';

const FILE = 'storage:\n  files:\n    - path: /etc/a\n      mode: 0644\n      contents: { inline: "a" }\n';
const OPENSHIFT = 'metadata:\n  name: 99-a\n  labels: { machineconfiguration.openshift.io/role: master }\n';
const head = (variant: string, version: string) => `variant: ${variant}\nversion: ${version}\n`;
const file = (rest: string) => `${head('fcos', '1.5.0')}storage:\n  files:\n    - path: /x\n      ${rest}\n`;
const local = (name: string) => file(`contents: { local: ${name} }`);
const tree = (name: string) => `${head('fcos', '1.5.0')}storage:\n  trees:\n    - local: ${name}\n`;
const WARNED = file('mode: 755');

let folder = '';
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'butane-test-'));
  await mkdir(join(folder, 'tree', 'sub'), { recursive: true });
  await mkdir(join(folder, 'many'));
  await writeFile(join(folder, 'a.txt'), 'hello');
  await writeFile(join(folder, 'empty'), '');
  await writeFile(join(folder, 'big.txt'), 'compress me '.repeat(20_000));
  await writeFile(join(folder, 'random'), crypto.getRandomValues(new Uint8Array(60_000)));
  await writeFile(join(folder, 'keys'), 'ssh-ed25519 AAAA one\r\nssh-ed25519 BBBB two\n');
  await writeFile(join(folder, 'a.service'), '[Unit]\nDescription=ä <&>\n');
  await writeFile(join(folder, 'tree', 'plain'), 'plain');
  await writeFile(join(folder, 'tree', 'sub', 'run.sh'), '#!/bin/sh\n');
  await chmod(join(folder, 'tree', 'sub', 'run.sh'), 0o755);
  await symlink('sub/run.sh', join(folder, 'tree', 'link'));
  await symlink('nowhere', join(folder, 'tree', 'dangling'));
  await symlink('tree', join(folder, 'linked'));
  await symlink('a.txt', join(folder, 'alias'));
  await symlink(join(folder, 'a.txt'), join(folder, 'absolute'));
  await symlink('/etc/passwd', join(folder, 'evil'));
  // Names of this length fill more than one directory buffer of Go's reader.
  for (let i = 0; i < 150; i++) await writeFile(join(folder, 'many', `${i}-${'n'.repeat(120)}`), `${i}`);
});
afterAll(() => rm(folder, { recursive: true, force: true }));

const PRETTY: TranslateOptions = { pretty: true };
const RAW: TranslateOptions = { raw: true };
const STRICT: TranslateOptions = { strict: true };
/** Stands for a row's files folder, which has its name only once it is made. */
const FILES: TranslateOptions = { filesDir: 'the files folder' };

const accepted: readonly [string, string, TranslateOptions][] = [
  ['fcos 1.0.0', head('fcos', '1.0.0') + FILE, {}],
  ['fcos 1.1.0', head('fcos', '1.1.0') + FILE, {}],
  ['fcos 1.2.0', head('fcos', '1.2.0') + FILE, {}],
  ['fcos 1.3.0', head('fcos', '1.3.0') + FILE, {}],
  ['fcos 1.4.0', head('fcos', '1.4.0') + FILE, {}],
  ['fcos 1.5.0', head('fcos', '1.5.0') + FILE, {}],
  ['fcos 1.6.0', head('fcos', '1.6.0') + FILE, {}],
  ['fcos 1.6.0, pretty', head('fcos', '1.6.0') + FILE, PRETTY],
  ['fcos 1.7.0-experimental', head('fcos', '1.7.0-experimental') + FILE, {}],
  ['fiot 1.0.0', head('fiot', '1.0.0') + FILE, {}],
  ['flatcar 1.0.0', head('flatcar', '1.0.0') + FILE, {}],
  ['flatcar 1.1.0', head('flatcar', '1.1.0') + FILE, {}],
  ['r4e 1.0.0', head('r4e', '1.0.0') + FILE, {}],
  ['r4e 1.1.0', head('r4e', '1.1.0') + FILE, {}],
  ...[8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20, 21].map(
    (minor): [string, string, TranslateOptions] => [
      `openshift 4.${minor}.0`,
      head('openshift', `4.${minor}.0`) + OPENSHIFT + FILE,
      {},
    ],
  ),
  ['openshift, raw', head('openshift', '4.18.0') + OPENSHIFT + FILE, RAW],
  ['openshift, raw and pretty', head('openshift', '4.18.0') + OPENSHIFT + FILE, { ...RAW, ...PRETTY }],
  ['letters JSON escapes', file('contents: { inline: "<a> & \\u2028 ä 𝄞 \\0" }'), {}],
  [
    'a long inline text, which Butane compresses',
    file(`contents: { inline: "${'abc '.repeat(9_000)}" }`),
    {},
  ],
  ['nothing to warn of, strict', head('fcos', '1.5.0') + FILE, STRICT],
  ['a decimal mode', WARNED, {}],
  ['an unused key', `${head('fcos', '1.5.0')}nonsense: 1\n`, {}],
  ['unused keys, which Butane finds in any order', `${head('fcos', '1.5.0')}c: 1\na: 1\nd: 1\nb: 1\n`, {}],
  ['a local file', local('a.txt'), FILES],
  ['an empty local file', local('empty'), FILES],
  ['a compressible local file', local('big.txt'), FILES],
  ['random bytes', local('random'), FILES],
  ['a link inside', local('alias'), FILES],
  ['an absolute link inside', local('absolute'), FILES],
  ['a file behind a linked folder', local('linked/plain'), FILES],
  ['a tree', tree('tree'), FILES],
  ['a tree behind a linked folder', tree('linked/sub'), FILES],
  ['a tree that is a link', tree('linked'), FILES],
  ['a tree of many long names', tree('many'), FILES],
  [
    'a tree and a file through its link',
    `${local('tree/link')}  trees:\n    - local: tree\n      path: /t\n`,
    FILES,
  ],
  [
    'a unit, a drop-in and keys from files',
    `${head('fcos', '1.5.0')}systemd:\n  units:\n    - name: a.service\n      contents_local: a.service\n      dropins: [{ name: b.conf, contents_local: a.service }]\npasswd:\n  users:\n    - { name: core, ssh_authorized_keys_local: [keys] }\n`,
    FILES,
  ],
];

const refused: readonly [string, string, TranslateOptions][] = [
  ['a relative path', `${head('fcos', '1.4.0')}storage:\n  files:\n    - path: b\n`, {}],
  ['two wrong things', `${WARNED}    - path: b\n`, {}],
  ['a wrong type', `${head('fcos', '1.4.0')}storage: 5\n`, {}],
  ['broken YAML', 'variant: fcos\nversion: "1.4.0\n', {}],
  ['a tab', 'variant: fcos\n\tversion: 1.4.0\n', {}],
  ['a version that is none', head('fcos', 'x'), {}],
  ['an unknown version', head('fcos', '9.9.0'), {}],
  ['an unknown variant', head('nonsense', '1.0.0'), {}],
  ['a variant that is gone', head('rhcos', '0.1.0'), {}],
  ['no variant', 'version: 1.0.0\n', {}],
  ['an empty text', '', {}],
  ['openshift without metadata', head('openshift', '4.12.0'), {}],
  [
    'a bad openshift field',
    `${head('openshift', '4.12.0')}${OPENSHIFT}storage:\n  links:\n    - path: /a\n      target: /b\n`,
    {},
  ],
  ['a warning, strict', WARNED, STRICT],
  ['an error, strict', `${head('fcos', '1.4.0')}storage:\n  files:\n    - path: b\n`, STRICT],
  ['a local file without a folder', local('a.txt'), {}],
  ['a tree without a folder', tree('tree'), {}],
  ['a local file that is not there', local('none'), FILES],
  ['a local file that is a folder', local('tree'), FILES],
  ['a local file that is a dangling link', local('tree/dangling'), FILES],
  ['a tree that is not there', tree('none'), FILES],
  ['a tree that is a file', tree('a.txt'), FILES],
];

function withFolder(options: TranslateOptions): TranslateOptions {
  return options.filesDir === undefined ? options : { ...options, filesDir: folder };
}

/** What the butane program prints, as the package reports it. */
function expected(document: string, options: TranslateOptions) {
  const flags = (['strict', 'pretty', 'raw'] as const).filter((name) => options[name]);
  const args = flags.map((name) => `--${name}`);
  if (options.filesDir !== undefined) args.push('--files-dir', options.filesDir);
  const { ok, stdout, stderr } = runPeer(butaneProgram ?? '', args, document);
  const { entries, summary } = parseButaneStderr(stderr);
  return { ok, ignition: ok ? stdout : undefined, entries, summary };
}

const NOWHERE = join(tmpdir(), 'no-butane-is-built-here.wasm');
const engines = [
  { engine: `the WebAssembly${NEEDS_WASM}${NEEDS_BUTANE}`, skip: !hasWasm || butaneProgram === undefined },
  {
    engine: `the fallback program${NEEDS_BUTANE}`,
    skip: butaneProgram === undefined,
    settings: { wasmPath: NOWHERE, env: { BUTANE: butaneProgram } },
  },
];

describe.each(engines)('translate with $engine', ({ skip, settings = { env: {} } }) => {
  const butane = createButane(settings);

  test.skipIf(skip).each(accepted)('gives what butane prints: %s', async (_name, document, row) => {
    const options = withFolder(row);
    const peer = expected(document, options);
    expect(peer).toMatchObject({ ok: true });
    expect(await butane.translate(document, options)).toEqual({
      ignition: peer.ignition,
      report: { entries: peer.entries, isFatal: false },
    });
  });

  test.skipIf(skip).each(refused)('refuses as butane does: %s', async (_name, document, row) => {
    const options = withFolder(row);
    const peer = expected(document, options);
    expect(peer).toMatchObject({ ok: false });
    const error = await butane.translate(document, options).catch((caught: unknown) => caught);
    if (!(error instanceof ButaneError)) throw new Error(`not refused: ${JSON.stringify(error)}`);
    expect(error.code).toBe('BUTANE_FAILED');
    expect(error.report.entries).toEqual(peer.entries);
    expect(error.message).toContain(peer.summary);
  });

  test.skipIf(skip)('butane itself follows a link out of the folder: translate refuses it', async () => {
    const options = { filesDir: folder };
    expect(expected(local('evil'), options).ok).toBe(true);
    await expect(butane.translate(local('evil'), options)).rejects.toMatchObject({ code: 'FILE_OUTSIDE' });
  });
});

describe.skipIf(!hasWasm)(`translate in the WebAssembly${NEEDS_WASM}`, () => {
  const butane = createButane({ env: {} });

  test('places findings by line, column and path', async () => {
    expect((await butane.translate(WARNED)).report).toMatchObject({
      isFatal: false,
      entries: [{ kind: 'warning', line: 6, column: 13, path: '$.storage.files.0.mode' }, {}],
    });
  });

  test('strict makes a warning a failure, which is no error of the document', async () => {
    await expect(butane.translate(WARNED, STRICT)).rejects.toMatchObject({
      message: expect.stringContaining('strict'),
      report: { isFatal: false },
    });
  });

  test('a document sees its own files only, not those of the one before', async () => {
    await butane.translate(local('a.txt'), { filesDir: folder });
    await expect(butane.translate(local('a.txt'), { filesDir: join(folder, 'tree') })).rejects.toMatchObject({
      code: 'BUTANE_FAILED',
    });
    await expect(butane.translate(local('a.txt'))).rejects.toMatchObject({ code: 'BUTANE_FAILED' });
  });

  test('documents at the same time do not mix', async () => {
    const results = await Promise.all(
      Array.from({ length: 8 }, (_, i) => butane.translate(file(`contents: { inline: "n${i}" }`))),
    );
    expect(results.map(({ ignition }) => /data:,(n\d)/.exec(ignition)?.[1])).toEqual(
      results.map((_, i) => `n${i}`),
    );
  });
});
