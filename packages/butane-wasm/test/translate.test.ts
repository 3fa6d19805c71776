import { mkdtemp, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { createButane } from '../src/butane.ts';
import { butaneProgram, NEEDS_BUTANE, runPeer } from './engines.ts';

const FILE = 'storage:\n  files:\n    - path: /etc/a\n      mode: 0644\n      contents: { inline: "a" }\n';
const OPENSHIFT = 'metadata:\n  name: 99-a\n  labels: { machineconfiguration.openshift.io/role: master }\n';
const head = (variant: string, version: string) => `variant: ${variant}\nversion: ${version}\n`;

const accepted = [
  ['fcos 1.0.0', head('fcos', '1.0.0') + FILE, []],
  ['fcos 1.1.0', head('fcos', '1.1.0') + FILE, []],
  ['fcos 1.2.0', head('fcos', '1.2.0') + FILE, []],
  ['fcos 1.3.0', head('fcos', '1.3.0') + FILE, []],
  ['fcos 1.4.0', head('fcos', '1.4.0') + FILE, []],
  ['fcos 1.5.0', head('fcos', '1.5.0') + FILE, []],
  ['fcos 1.6.0, pretty', head('fcos', '1.6.0') + FILE, ['--pretty']],
  ['flatcar 1.1.0', head('flatcar', '1.1.0') + FILE, []],
  ['r4e 1.1.0', head('r4e', '1.1.0') + FILE, []],
  ['openshift 4.8.0', head('openshift', '4.8.0') + OPENSHIFT + FILE, []],
  ['openshift 4.12.0', head('openshift', '4.12.0') + OPENSHIFT + FILE, []],
  ['openshift 4.18.0', head('openshift', '4.18.0') + OPENSHIFT + FILE, []],
  ['openshift 4.18.0, raw', head('openshift', '4.18.0') + OPENSHIFT + FILE, ['--raw']],
] as const;

describe.skipIf(butaneProgram === undefined)(`translate gives what butane prints${NEEDS_BUTANE}`, () => {
  const butane = createButane({ env: { BUTANE: butaneProgram } });

  test.each(accepted)('%s', async (_name, document, flags) => {
    const options = { pretty: flags.some((f) => f === '--pretty'), raw: flags.some((f) => f === '--raw') };
    const { ignition, report } = await butane.translate(document, options);
    expect(ignition).toBe(runPeer(butaneProgram ?? '', flags, document).stdout);
    expect(ignition).toContain('/etc/a');
    expect(report).toEqual({ entries: [], isFatal: false });
  });
});

const refused = [
  [
    'a relative path',
    `${head('fcos', '1.4.0')}storage:\n  files:\n    - path: b\n`,
    { line: 5, column: 13, path: '$.storage.files.0.path' },
  ],
  ['a wrong type', `${head('fcos', '1.4.0')}storage: 5\n`, { line: 3 }],
  ['broken YAML', 'variant: fcos\nversion: "1.4.0\n', { line: 2 }],
  ['an unknown version', head('fcos', '9.9.0'), {}],
  ['an unknown variant', head('nonsense', '1.0.0'), {}],
  [
    'a bad openshift field',
    `${head('openshift', '4.12.0')}${OPENSHIFT}storage:\n  links:\n    - path: /a\n      target: /b\n`,
    { line: 8, column: 5 },
  ],
  ['an empty text', '', {}],
] as const;

describe.skipIf(butaneProgram === undefined)(`translate refuses what butane refuses${NEEDS_BUTANE}`, () => {
  const butane = createButane({ env: { BUTANE: butaneProgram } });

  test.each(refused)('%s', async (_name, document, where) => {
    expect(runPeer(butaneProgram ?? '', [], document).ok).toBe(false);
    await expect(butane.translate(document)).rejects.toMatchObject({
      code: 'BUTANE_FAILED',
      report: {
        isFatal: true,
        entries: expect.arrayContaining([expect.objectContaining({ kind: 'error', ...where })]),
      },
    });
  });

  const warned = `${head('fcos', '1.4.0')}storage:\n  files:\n    - path: /a\n      mode: 755\n`;

  test('a warning comes with its line and column', async () => {
    const { report } = await butane.translate(warned);
    expect(report.isFatal).toBe(false);
    expect(report.entries[0]).toMatchObject({
      kind: 'warning',
      line: 6,
      column: 13,
      path: '$.storage.files.0.mode',
    });
  });

  test('strict makes a warning a failure', async () => {
    await expect(butane.translate(warned, { strict: true })).rejects.toMatchObject({
      code: 'BUTANE_FAILED',
      message: expect.stringContaining('strict'),
      report: { isFatal: false, entries: [{ kind: 'warning' }, { kind: 'warning' }] },
    });
  });
});

describe.skipIf(butaneProgram === undefined)(`translate embeds local files${NEEDS_BUTANE}`, () => {
  const butane = createButane({ env: { BUTANE: butaneProgram } });
  let folder = '';
  const local = (name: string) =>
    `${head('fcos', '1.5.0')}storage:\n  files:\n    - path: /x\n      contents: { local: ${name} }\n`;

  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'butane-test-'));
    await writeFile(join(folder, 'a.txt'), 'hello');
    await symlink('/etc/passwd', join(folder, 'evil'));
    await symlink('a.txt', join(folder, 'alias'));
  });
  afterAll(() => rm(folder, { recursive: true, force: true }));

  test.each(['a.txt', 'alias'])('%s is embedded as butane embeds it', async (name) => {
    const { ignition } = await butane.translate(local(name), { filesDir: folder });
    expect(ignition).toBe(runPeer(butaneProgram ?? '', ['--files-dir', folder], local(name)).stdout);
    expect(ignition).toContain('data:,hello');
  });

  test('butane itself follows a link out of the folder: translate refuses it', async () => {
    expect(runPeer(butaneProgram ?? '', ['--files-dir', folder], local('evil')).ok).toBe(true);
    await expect(butane.translate(local('evil'), { filesDir: folder })).rejects.toMatchObject({
      code: 'FILE_OUTSIDE',
    });
  });

  test('a name that is not there is reported with its line and the real folder', async () => {
    await expect(butane.translate(local('none'), { filesDir: folder })).rejects.toMatchObject({
      code: 'BUTANE_FAILED',
      report: {
        entries: [{ kind: 'error', line: 6, message: expect.stringContaining(join(folder, 'none')) }],
      },
    });
  });

  test('without a folder a local file is refused', async () => {
    await expect(butane.translate(local('a.txt'))).rejects.toMatchObject({ code: 'BUTANE_FAILED' });
  });
});
