import { mkdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { parse as parseYaml } from 'yaml';
import { diffIgnition } from '../../../src/boot/ignition/diff-ignition.ts';
import { withFile } from '../../../src/boot/ignition/edit-ignition.ts';
import { fileText } from '../../../src/boot/ignition/file-contents.ts';
import type { Ignition } from '../../../src/boot/ignition/ignition.ts';
import { parseIgnitionText } from '../../../src/boot/ignition/parse-ignition.ts';
import { applyStep, type StepReport } from '../../../src/boot/patch/step.ts';
import { overlaysStep } from '../../../src/boot/patch/user-overlays.ts';
import { bipIgnition, FIXTURES } from '../../support/bip-ignition.ts';
import { HAS_WASM, NEEDS_WASM, noButane } from '../../support/butane.ts';
import { HAS_IGNITION_VALIDATE, ignitionValidate } from '../../support/ignition-validate.ts';
import { tempFolder } from '../../support/temp-folder.ts';

const VERSION = '4.18.9';
const FOLDER = '/opt/openshift/openshift';

function written(files: Readonly<Record<string, string>>): (name: string) => string {
  const folder = tempFolder();
  for (const [name, text] of Object.entries(files)) {
    mkdirSync(dirname(join(folder, name)), { recursive: true });
    writeFileSync(join(folder, name), text);
  }
  return (name) => join(folder, name);
}

async function overlay(
  ignition: Ignition,
  files: readonly string[],
  version = VERSION,
): Promise<{ ignition: Ignition; report: StepReport }> {
  return applyStep(ignition, await overlaysStep(ignition, files, { version }));
}

const fcos = (body: string, version = '1.3.0'): string => `variant: fcos\nversion: ${version}\n${body}`;
const openshift = (body: string, { version = '4.14.0', role = 'master' } = {}): string =>
  `variant: openshift\nversion: ${version}\nmetadata:\n  name: 99-own\n  labels:\n    machineconfiguration.openshift.io/role: ${role}\n${body}`;
const MOTD =
  'storage:\n  files:\n    - path: /etc/own-motd\n      mode: 0644\n      contents:\n        inline: hello <you>\n';

describe.skipIf(!HAS_WASM)(`overlays${NEEDS_WASM}`, () => {
  test('fcos goes into the live config, openshift becomes a manifest; twice is once', async () => {
    const at = written({ 'live.bu': fcos(MOTD), 'node.bu': openshift(MOTD) });
    const files = [at('live.bu'), at('node.bu')];
    const before = bipIgnition();
    const { ignition, report } = await overlay(before, files);
    expect(diffIgnition(before, ignition).map(({ kind, what, path }) => `${kind} ${what} ${path}`)).toEqual([
      'added file /etc/own-motd',
      `added file ${FOLDER}/99_edgefab-user-node.yaml`,
    ]);
    expect(fileText(ignition, '/etc/own-motd')).toBe('hello <you>');
    expect(parseYaml(fileText(ignition, `${FOLDER}/99_edgefab-user-node.yaml`) ?? '')).toMatchObject({
      kind: 'MachineConfig',
      metadata: { name: '99-own' },
      spec: {
        config: {
          ignition: { version: '3.4.0' },
          storage: { files: [{ path: '/etc/own-motd', mode: 420 }] },
        },
      },
    });
    expect(report).toMatchObject({
      name: 'overlays',
      changes: [
        expect.stringContaining('live.bu merged'),
        expect.stringContaining('99_edgefab-user-node.yaml from'),
      ],
    });
    expect(report.warnings).toBeUndefined();
    // A step after it writes in another spelling; a second run must not touch that.
    const later = withFile(ignition, { path: '/etc/later', mode: 0o644, text: '<&>' });
    const again = await overlay(later, files);
    expect(again).toMatchObject({ ignition: { text: later.text }, report: { changes: [] } });
    if (HAS_IGNITION_VALIDATE) expect(ignitionValidate(ignition.text)).toBe('');
  });

  test('units, drop-ins, links, folders, appended text and trees, relative files next to each file', async () => {
    const at = written({
      'a/own.bu': fcos(
        'storage:\n  files:\n    - path: /etc/hosts\n      append:\n        - local: hosts\n  links:\n    - path: /etc/localtime\n      target: ../usr/share/zoneinfo/UTC\n  directories:\n    - path: /var/own\n      mode: 0700\n  trees:\n    - local: tree\n      path: /opt/own\n' +
          'systemd:\n  units:\n    - name: own.service\n      enabled: true\n      contents_local: own.service\n    - name: crio.service\n      dropins:\n        - name: own.conf\n          contents: "[Service]\\n"\n',
        '1.5.0',
      ),
      'a/hosts': '10.0.0.1 x\n',
      'a/tree/b/c.txt': 'c',
      'a/own.service': '[Service]\nExecStart=/bin/true\n[Install]\nWantedBy=multi-user.target\n',
    });
    const { ignition } = await overlay(bipIgnition(), [at('a/own.bu')]);
    expect(ignition.version).toBe('3.2.0');
    expect(ignition.links).toMatchObject([{ path: '/etc/localtime' }]);
    expect(ignition.directories.find(({ path }) => path === '/var/own')?.mode).toBe(0o700);
    expect(fileText(ignition, '/etc/hosts')).toBe('10.0.0.1 x\n');
    expect(fileText(ignition, '/opt/own/b/c.txt')).toBe('c');
    expect(ignition.units.find(({ name }) => name === 'own.service')?.contents).toContain('ExecStart');
    expect((await overlay(ignition, [at('a/own.bu')])).ignition.text).toBe(ignition.text);
  });

  test('a file Butane compresses is read unpacked', async () => {
    const at = written({
      'own.bu': fcos(
        `storage:\n  files:\n    - path: /etc/long\n      contents:\n        inline: "${'long '.repeat(400)}"\n`,
      ),
    });
    const { ignition } = await overlay(bipIgnition(), [at('own.bu')]);
    expect(ignition.files.find(({ path }) => path === '/etc/long')?.contents?.compression).toBe('gzip');
    expect(fileText(ignition, '/etc/long')).toBe('long '.repeat(400));
  });

  test.each<[string, string, object]>([
    [
      'a relative path',
      fcos('storage:\n  files:\n    - path: etc/x\n'),
      {
        message: expect.stringMatching(/own\.bu:5:13 {2}storage\.files\.0\.path: path not absolute/),
        place: { line: 5, col: 13 },
      },
    ],
    [
      'a slip of the pen',
      fcos('storage:\n  files:\n    - path: /x\n      mod: 1\n'),
      { message: expect.stringMatching(/own\.bu:6:7 .*unused key mod/) },
    ],
    ['broken YAML', 'variant: [\n', { message: expect.stringMatching(/own\.bu:\d+:\d+/) }],
    [
      'no variant',
      'version: 1.0.0\n',
      { message: expect.stringMatching(/own\.bu:1:1 {2}variant: got nothing, want fcos .* openshift/) },
    ],
    [
      'another variant',
      'a: 1\nvariant: flatcar\nversion: 1.0.0\n',
      { message: expect.stringMatching(/own\.bu:2:10 {2}variant: got "flatcar"/) },
    ],
    ['an unknown version', fcos('', '9.0.0'), { message: expect.stringContaining('own.bu') }],
    [
      'an openshift document without a role',
      'variant: openshift\nversion: 4.14.0\nmetadata: {name: a}\n',
      { message: expect.stringMatching(/own\.bu:3:\d+ .*role/) },
    ],
    [
      'a missing local file',
      fcos('storage:\n  files:\n    - path: /x\n      contents:\n        local: no\n'),
      { message: expect.stringMatching(/own\.bu:7:/) },
    ],
    [
      'a local file outside',
      fcos('storage:\n  files:\n    - path: /x\n      contents:\n        local: ../../etc/passwd\n'),
      { message: expect.stringContaining('leads out') },
    ],
    [
      'a bomb of aliases',
      `${fcos('')}a: &a [x,x,x,x,x,x,x,x,x]\n${'bcdefgh'
        .split('')
        .map((to, index) => `${to}: &${to} [${Array(9).fill(`*${'abcdefg'[index]}`).join(',')}]`)
        .join('\n')}\n`,
      { message: expect.stringMatching(/own\.bu:\d+:\d+ .*aliases expanded/) },
    ],
    [
      'a depth meant to hurt',
      `${fcos('')}a: ${'['.repeat(5000)}`,
      { message: expect.stringContaining('nested deeper') },
    ],
    [
      'too much',
      `${fcos('')}# ${'x'.repeat(5_000_000)}`,
      { message: expect.stringContaining('more than 4194304 bytes') },
    ],
  ])('%s is refused with its place', async (_name, text, want) => {
    const at = written({ 'own.bu': text });
    await expect(overlaysStep(bipIgnition(), [at('own.bu')], { version: VERSION })).rejects.toMatchObject({
      code: 'BUTANE_INVALID',
      exitCode: 3,
      ...want,
    });
  });

  test('a link that leaves the folder is refused', async () => {
    const at = written({
      'own.bu': fcos('storage:\n  files:\n    - path: /x\n      contents:\n        local: out\n'),
    });
    symlinkSync('/etc/hostname', at('out'));
    await expect(overlaysStep(bipIgnition(), [at('own.bu')], { version: VERSION })).rejects.toMatchObject({
      code: 'BUTANE_INVALID',
    });
  });

  test.each<[string, string, string, RegExp]>([
    [
      'fcos for a release that reads less',
      fcos(MOTD, '1.5.0'),
      '4.12.18',
      /own\.bu needs Ignition spec 3\.4\.0, and release 4\.12\.18 reads 3\.2\.0/,
    ],
    [
      'openshift for a release that reads less',
      openshift(MOTD, { version: '4.19.0' }),
      '4.18.9',
      /needs Ignition spec 3\.5\.0, and release 4\.18\.9 reads 3\.4\.0/,
    ],
    [
      'what the live config cannot say',
      fcos('kernel_arguments:\n  should_exist: [quiet]\n', '1.5.0'),
      '4.18.9',
      /needs Ignition spec 3\.4\.0, and made-up\.ign is of spec 3\.2\.0/,
    ],
  ])('%s is refused, naming both', async (_name, text, version, message) => {
    const at = written({ 'own.bu': text });
    await expect(overlaysStep(bipIgnition(), [at('own.bu')], { version })).rejects.toMatchObject({
      code: 'IGNITION_SPEC_TOO_NEW',
      exitCode: 4,
      message: expect.stringMatching(message),
    });
  });

  test('a parent that would lose a field is refused', async () => {
    const parent = parseIgnitionText('{"ignition":{"version":"3.2.0"},"own":{"field":1}}', 'parent.ign');
    const at = written({ 'own.bu': fcos(MOTD) });
    await expect(overlaysStep(parent, [at('own.bu')], { version: VERSION })).rejects.toMatchObject({
      code: 'IGNITION_INVALID',
      message: expect.stringContaining('$.own'),
    });
  });

  test('a MachineConfig for workers and odd units are warned of', async () => {
    const at = written({
      'workers.bu': openshift(MOTD, { role: 'worker' }),
      'odd.bu': fcos(
        'systemd:\n  units:\n    - name: a.service\n      enabled: true\n      contents: "[Unit]"\n',
      ),
    });
    const { report } = await overlay(bipIgnition(), [at('workers.bu'), at('odd.bu')]);
    expect(report.warnings).toEqual([
      expect.stringMatching(/workers\.bu: the role is worker/),
      expect.stringMatching(/odd\.bu:\d+:\d+ .*install section/),
    ]);
  });

  test('names that would be one manifest, and a manifest that says something else', async () => {
    const at = written({
      'a/x.bu': openshift(MOTD),
      'b/x.bu': openshift(MOTD),
      '99_openshift-machineconfig_a.bu': openshift(MOTD),
    });
    const plan = (ignition: Ignition, ...names: string[]) =>
      overlaysStep(ignition, names.map(at), { version: VERSION });
    await expect(plan(bipIgnition(), 'a/x.bu', 'b/x.bu')).rejects.toMatchObject({ code: 'USAGE_INVALID' });
    await expect(plan(bipIgnition(), '99_openshift-machineconfig_a.bu')).rejects.toMatchObject({
      code: 'BUTANE_INVALID',
    });
    const taken = withFile(bipIgnition(), {
      path: `${FOLDER}/99_edgefab-user-x.yaml`,
      mode: 0o644,
      text: 'other',
    });
    await expect(plan(taken, 'a/x.bu')).rejects.toMatchObject({ code: 'TARGET_EXISTS' });
  });

  test('a file that is not there', async () => {
    await expect(
      overlaysStep(bipIgnition(), ['/nonexistent/a.bu'], { version: VERSION }),
    ).rejects.toMatchObject({ code: 'FILE_UNREADABLE' });
  });

  test('none is skipped', async () => {
    expect(await overlaysStep(bipIgnition(), [], { version: VERSION })).toMatchObject({
      changes: [],
      skipped: expect.anything(),
    });
  });

  test.skipIf(FIXTURES === undefined).each(['bip-4.13', 'bip-4.18', 'bip-4.21'])(
    '%s keeps every byte it had (needs EDGEFAB_FIXTURES)',
    async (name) => {
      const text = readFileSync(join(FIXTURES ?? '', 'ignition', `${name}.ign`), 'utf8');
      const at = written({
        'own.bu': fcos('storage:\n  files:\n    - path: /etc/own\n      contents: {inline: x}\n'),
      });
      const { ignition } = await overlay(parseIgnitionText(text, name), [at('own.bu')]);
      const index = ignition.text.indexOf('{"path":"/etc/own"');
      const end = ignition.text.indexOf('}}', index) + 2;
      expect(index).toBeGreaterThan(0);
      expect(ignition.text.slice(0, index).replace(/,\s*$/, '') + ignition.text.slice(end)).toBe(text);
    },
  );
});

test('without Butane: status 4, and how to get it', async () => {
  const at = written({ 'own.bu': fcos(MOTD) });
  await expect(
    overlaysStep(bipIgnition(), [at('own.bu')], { version: VERSION, butane: noButane() }),
  ).rejects.toMatchObject({
    code: 'TOOL_MISSING',
    exitCode: 4,
    suggestions: [expect.stringContaining('npm run build'), expect.stringContaining('BUTANE')],
  });
});
