import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { createButane } from '../src/butane.ts';
import { hasWasm, ignitionValidate, NEEDS_VALIDATE, NEEDS_WASM, runPeer } from './engines.ts';

const config = (version: string, rest = '') => `{"ignition":{"version":"${version}"}${rest}}`;
const file = (fields: string) => `,"storage":{"files":[{"path":"/a"${fields}}]}`;

// The wording differs between Ignition versions; the kind and the place must not.
// Debian's ignition-validate 2.14 knows specs up to 3.3.0, so the rows stay within those.
const rows = [
  ['3.0.0', config('3.0.0'), false],
  ['3.1.0', config('3.1.0'), false],
  ['3.2.0', config('3.2.0'), false],
  ['3.3.0', config('3.3.0'), false],
  ['a file', config('3.2.0', file(',"mode":420,"contents":{"source":"data:,a"}')), false],
  [
    'a unit enabled without [Install]',
    config('3.2.0', ',"systemd":{"units":[{"name":"a.service","enabled":true,"contents":"[Unit]"}]}'),
    false,
  ],
  ['an unused key', config('3.2.0', ',"nonsense":1'), false],
  ['a relative path', config('3.2.0', ',"storage":{"files":[{"path":"a"}]}'), true],
  ['a bad URL scheme', config('3.2.0', file(',"contents":{"source":"gopher://x"}')), true],
  ['a wrong type', config('3.2.0', file(',"mode":"0644"')), true],
  ['a duplicate file', config('3.2.0', ',"storage":{"files":[{"path":"/a"},{"path":"/a"}]}'), true],
  ['version 2.2.0', config('2.2.0'), true],
  ['version 9.0.0', config('9.0.0'), true],
  ['a version that is none', config('x'), true],
  ['broken JSON', '{"ignition":', true],
  ['an empty text', '', true],
] as const;

describe.skipIf(NEEDS_VALIDATE !== '')(`validate agrees with ignition-validate${NEEDS_VALIDATE}`, () => {
  const butane = createButane();
  let folder = '';
  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'validate-test-'));
  });
  afterAll(() => rm(folder, { recursive: true, force: true }));

  test.each(rows)('%s', async (_name, text, fatal) => {
    const path = join(folder, 'config.ign');
    await writeFile(path, text);
    const peer = runPeer(ignitionValidate ?? '', [path], '');
    const { report } = await butane.validate(text);
    expect({ ours: report.isFatal, peer: !peer.ok }).toEqual({ ours: fatal, peer: fatal });
    for (const entry of report.entries.filter((entry) => entry.line !== undefined)) {
      expect(peer.stdout).toMatch(
        new RegExp(`${entry.kind} at .*line ${entry.line} col ${entry.column}: `, 'u'),
      );
    }
  });
});

describe.skipIf(!hasWasm)(`validate${NEEDS_WASM}`, () => {
  const butane = createButane();

  test.each(['3.4.0', '3.5.0'])('takes the newer stable version %s', async (version) => {
    expect(await butane.validate(config(version))).toEqual({ report: { entries: [], isFatal: false } });
  });

  test('places a finding by line, column and path', async () => {
    const { report } = await butane.validate(
      '{"ignition":{"version":"3.2.0"},\n"storage":{"files":[{"path":"a"}]}}',
    );
    expect(report.entries[0]).toMatchObject({ kind: 'error', line: 2, path: '$.storage.files.0.path' });
  });

  test('warns of mode 755, which is decimal', async () => {
    const { report } = await butane.validate(config('3.2.0', file(',"mode":755')));
    expect(report).toMatchObject({
      isFatal: false,
      entries: [{ kind: 'warning', path: '$.storage.files.0.mode' }],
    });
  });
});
