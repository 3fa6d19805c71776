import { execFileSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { withFile } from '../../src/boot/ignition/edit-ignition.ts';
import { bipIgnition } from '../support/bip-ignition.ts';
import { HAS_WASM, NEEDS_WASM } from '../support/butane.ts';
import { HAS_IGNITION_VALIDATE } from '../support/ignition-validate.ts';
import { runEdgefab, runEdgefabJson } from '../support/run-edgefab.ts';
import { tempFolder } from '../support/temp-folder.ts';

const KEY = '-----BEGIN PRIVATE KEY-----\nHUSH\n-----END PRIVATE KEY-----\n';

function configFile(text = bipIgnition().text): string {
  const path = join(tempFolder(), 'a.ign');
  writeFileSync(path, text);
  return path;
}

describe.skipIf(!HAS_WASM)(`edgefab ignition validate${NEEDS_WASM}`, () => {
  test('a good config: status 0', async () => {
    const path = configFile();
    if (HAS_IGNITION_VALIDATE) execFileSync('ignition-validate', [path]);
    const run = await runEdgefabJson(['ignition', 'validate', path]);
    expect(run.status).toBe(0);
    expect(run.document).toEqual({
      apiVersion: 'edgefab.io/v1',
      kind: 'IgnitionValidation',
      file: path,
      valid: true,
      askedIgnition: true,
      findings: [],
    });
  });

  test('faults and warnings together: status 3, each with its place, as text and as JSON', async () => {
    const path = configFile(
      '{"ignition":{"version":"3.2.0"},"storage":{"files":[{"path":"/a","mode":755},{"path":"/a/b"}]},\n"systemd":{"units":[{"name":"a.service","enabled":true,"contents":"[Unit]"}]}}',
    );
    const run = await runEdgefab(['ignition', 'validate', path]);
    expect(run.status).toBe(3);
    expect(run.stderr).toBe('');
    expect(run.stdout.split('\n')).toEqual([
      expect.stringMatching(/^error: .*a\.ign:1:\d+ {2}storage\.files\[0\]\.mode: mode 755 is decimal/),
      expect.stringMatching(/^error: .*a\.ign:1:\d+ {2}storage\.files\[1\]: file \/a\/b is below \/a/),
      expect.stringMatching(
        /^warning: .*a\.ign:2:\d+ {2}systemd\.units\[0\]\.contents: a\.service is enabled/,
      ),
      '2 errors, 1 warnings',
      '',
    ]);
    const { status, document } = await runEdgefabJson(['ignition', 'validate', path]);
    expect(status).toBe(3);
    expect(document).toMatchObject({
      valid: false,
      findings: [
        { level: 'error', by: 'edgefab', place: { line: 1, field: 'storage.files[0].mode' } },
        { level: 'error' },
        { level: 'warning' },
      ],
    });
  });

  test('warnings alone: status 0', async () => {
    const path = configFile('{"ignition":{"version":"3.2.0"},"nonsense":1}');
    const run = await runEdgefab(['ignition', 'validate', path]);
    expect([run.status, run.stdout.split('\n')[1]]).toEqual([0, '0 errors, 1 warnings']);
  });

  test.each([
    ['no JSON', 'hello'],
    ['a depth meant to hurt', '['.repeat(200_000)],
    ['nothing', ''],
  ])('%s: status 3 and an error', async (_name, text) => {
    const run = await runEdgefabJson(['ignition', 'validate', configFile(text)]);
    expect(run.status).toBe(3);
    expect(run.document).toMatchObject({ error: { code: 'IGNITION_INVALID', place: { line: 1 } } });
  });
});

describe('edgefab ignition show --file', () => {
  test('prints a text as it is, and keeps a secret to itself', async () => {
    const ignition = withFile(bipIgnition(), { path: '/opt/openshift/tls/a.pem', mode: 0o600, text: KEY });
    const path = configFile(ignition.text);
    const script = await runEdgefab(['ignition', 'show', path, '--file', '/usr/local/bin/bootkube.sh']);
    expect(script).toMatchObject({ status: 0, stderr: '', stdout: expect.stringMatching(/^#!.*image_for/s) });
    const secret = await runEdgefab(['ignition', 'show', path, '--file', '/opt/openshift/tls/a.pem']);
    expect(secret).toMatchObject({ status: 0, stdout: `(secret, ${KEY.length} bytes: not shown)\n` });
    const json = await runEdgefabJson(['ignition', 'show', path, '--file', '/opt/openshift/tls/a.pem']);
    expect(json.document).toMatchObject({ kind: 'IgnitionFile', secret: true, mode: '0600' });
    expect(json.stdout).not.toContain('HUSH');
  });

  test('a path that is not there: status 2', async () => {
    const run = await runEdgefab(['ignition', 'show', configFile(), '--file', '/usr/local/bin/bootkub.sh']);
    expect(run.status).toBe(2);
    expect(run.stderr).toContain('Did you mean /usr/local/bin/bootkube.sh?');
  });
});
