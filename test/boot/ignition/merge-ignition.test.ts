import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { openButane } from '../../../src/boot/ignition/butane-engine.ts';
import { diffIgnition } from '../../../src/boot/ignition/diff-ignition.ts';
import { withFile } from '../../../src/boot/ignition/edit-ignition.ts';
import type { Ignition } from '../../../src/boot/ignition/ignition.ts';
import { compareSpecs, ignitionSpecOf } from '../../../src/boot/ignition/ignition-spec.ts';
import { mergeIgnition } from '../../../src/boot/ignition/merge-ignition.ts';
import { parseIgnitionText } from '../../../src/boot/ignition/parse-ignition.ts';
import { bipIgnition, FIXTURES } from '../../support/bip-ignition.ts';
import { HAS_WASM, NEEDS_WASM, noButane } from '../../support/butane.ts';
import { HAS_IGNITION_VALIDATE, ignitionValidate } from '../../support/ignition-validate.ts';

const config = (rest: object, version = '3.2.0', where = 'child.ign'): Ignition =>
  parseIgnitionText(JSON.stringify({ ignition: { version }, ...rest }), where);
const V = '"ignition":{"version":"3.2.0"}';

describe.skipIf(!HAS_WASM)(`mergeIgnition${NEEDS_WASM}`, () => {
  const merge = async (parent: Ignition, child: Ignition): Promise<Ignition> =>
    mergeIgnition(parent, child, await openButane());

  const a = { storage: { files: [{ path: '/a', mode: 420 }] } };
  test.each<[string, string, object, string]>([
    ['a first file', `{${V}}`, a, `{${V},"storage":{"files":[{"path":"/a","mode":420}]}}`],
    [
      'a file behind others, odd spelling kept',
      `{ ${V} ,"storage":{"files":[{"mode" :493,"path":"/b","contents":{"source":"data:,\\u0061%3c"}}],"links":null}}\n`,
      a,
      `{ ${V} ,"storage":{"files":[{"mode" :493,"path":"/b","contents":{"source":"data:,\\u0061%3c"}},{"path":"/a","mode":420}],"links":null}}\n`,
    ],
    [
      'one field of a file',
      `{${V},"storage":{"files":[{"path":"/a","user":{"name":"x"},"mode":384}]}}`,
      a,
      `{${V},"storage":{"files":[{"path":"/a","user":{"name":"x"},"mode":420}]}}`,
    ],
    [
      'a unit and its drop-in, escaped as Go does',
      `{${V},"systemd":{"units":[{"name":"a.service","contents":"x \\u0026"}]}}`,
      { systemd: { units: [{ name: 'a.service', dropins: [{ name: 'd.conf', contents: 'a & b' }] }] } },
      `{${V},"systemd":{"units":[{"name":"a.service","contents":"x \\u0026","dropins":[{"contents":"a \\u0026 b","name":"d.conf"}]}]}}`,
    ],
    [
      'an indented parent',
      `{\n  ${V},\n  "storage": {\n    "files": [\n      {\n        "path": "/b"\n      }\n    ]\n  }\n}\n`,
      a,
      `{\n  ${V},\n  "storage": {\n    "files": [\n      {\n        "path": "/b"\n      },\n      {\n        "path": "/a",\n        "mode": 420\n      }\n    ]\n  }\n}\n`,
    ],
    [
      'a file in place of a link',
      `{${V},"storage":{"links":[{"path":"/a","target":"/b"}],"disks":[]}}`,
      a,
      `{${V},"storage":{"links":[],"disks":[],"files":[{"path":"/a","mode":420}]}}`,
    ],
    [
      'an empty content in place of one',
      `{${V},"storage":{"files":[{"path":"/a","contents":{"source":"data:,x"}}]}}`,
      { storage: { files: [{ path: '/a', contents: { source: '' } }] } },
      `{${V},"storage":{"files":[{"path":"/a","contents":{"source":""}}]}}`,
    ],
    [
      'nothing to append twice',
      `{${V},"storage":{"files":[{"path":"/a","append":[{"source":"data:,1"},{"source":"data:,2"}]}]}}`,
      { storage: { files: [{ path: '/a', append: [{ source: 'data:,2' }] }] } },
      `{${V},"storage":{"files":[{"path":"/a","append":[{"source":"data:,1"},{"source":"data:,2"}]}]}}`,
    ],
    [
      'something to append',
      `{${V},"storage":{"files":[{"path":"/a","append":[{"source":"data:,1"}]}]}}`,
      { storage: { files: [{ path: '/a', append: [{ source: 'data:,2' }] }] } },
      `{${V},"storage":{"files":[{"path":"/a","append":[{"source":"data:,1"},{"source":"data:,2"}]}]}}`,
    ],
    ['an empty child', `{"x\\u0020":null,${V}}`, {}, `{"x\\u0020":null,${V}}`],
    [
      'a password and a key',
      `{${V},"passwd":{"users":[{"name":"core","sshAuthorizedKeys":["a"]}]}}`,
      { passwd: { users: [{ name: 'core', passwordHash: 'h', sshAuthorizedKeys: ['b'] }] } },
      `{${V},"passwd":{"users":[{"name":"core","sshAuthorizedKeys":["a","b"],"passwordHash":"h"}]}}`,
    ],
  ])('%s', async (_name, parent, child, want) => {
    const before = parseIgnitionText(parent, 'parent.ign');
    const merged = await merge(before, config(child));
    expect(merged.text).toBe(want);
    expect((await merge(merged, config(child))).text).toBe(want);
  });

  test('a newer child is taken at the version of the parent', async () => {
    const merged = await merge(config({}), config(a, '3.5.0'));
    expect(merged.version).toBe('3.2.0');
    expect(merged.files).toMatchObject([{ path: '/a', mode: 420 }]);
  });

  test.each<[string, Ignition, Ignition, object]>([
    [
      'a newer child that needs its version',
      config({}, '3.2.0', 'parent.ign'),
      config({ kernelArguments: { shouldExist: ['x'] } }, '3.4.0', 'own.bu'),
      {
        code: 'IGNITION_SPEC_TOO_NEW',
        exitCode: 4,
        message: expect.stringMatching(
          /own\.bu needs Ignition spec 3\.4\.0, and parent\.ign is of spec 3\.2\.0.*kernelArguments/,
        ),
        place: { file: 'own.bu' },
      },
    ],
    [
      'a parent with a field that would be lost',
      config({ kernelArguments: { shouldExist: ['x'] } }, '3.2.0', 'parent.ign'),
      config(a),
      {
        code: 'IGNITION_INVALID',
        message: expect.stringContaining('the parent has $.kernelArguments'),
        place: { file: 'parent.ign' },
      },
    ],
    [
      'a parent with a field nobody knows, and a newer child',
      config({ nonsense: 'x' }, '3.2.0', 'parent.ign'),
      config(a, '3.4.0'),
      { code: 'IGNITION_INVALID', place: { file: 'parent.ign' } },
    ],
    [
      'two that are invalid only together',
      config({ storage: { files: [{ path: '/etc/systemd/system/a.service' }] } }, '3.2.0', 'parent.ign'),
      config({ systemd: { units: [{ name: 'a.service', contents: '[Unit]' }] } }),
      {
        code: 'IGNITION_INVALID',
        message: expect.stringContaining('systemd'),
        place: { file: 'child.ign' },
      },
    ],
  ])('refuses %s', async (_name, parent, child, want) => {
    await expect(merge(parent, child)).rejects.toMatchObject(want);
  });

  test.each(['4.13', '4.18', '4.21'] as const)(
    'a made-up %s: only what the child says differs',
    async (line) => {
      const before = withFile(bipIgnition({ line }), { path: '/x', mode: 0o600, text: '<&>' });
      const merged = await merge(before, config(a));
      expect(diffIgnition(before, merged)).toMatchObject([{ kind: 'added', what: 'file', path: '/a' }]);
      expect(merged.text.length - before.text.length).toBeLessThan(60);
      if (HAS_IGNITION_VALIDATE) expect(ignitionValidate(merged.text)).toBe('');
    },
  );

  test.skipIf(FIXTURES === undefined).each(['bip-4.13', 'bip-4.18', 'bip-4.21', 'redacted-bip-4.13.1'])(
    '%s: only what the child says differs (needs EDGEFAB_FIXTURES)',
    async (name) => {
      const text = readFileSync(join(FIXTURES ?? '', 'ignition', `${name}.ign`), 'utf8');
      const before = parseIgnitionText(text, name);
      const merged = await merge(before, config(a));
      expect(diffIgnition(before, merged)).toMatchObject([{ kind: 'added', what: 'file', path: '/a' }]);
      expect(await merge(merged, config(a))).toBe(merged);
    },
  );
});

test('without the WebAssembly: status 4, and how to get it', async () => {
  await expect(mergeIgnition(config({}), config({}), noButane())).rejects.toMatchObject({
    code: 'TOOL_MISSING',
    exitCode: 4,
    suggestions: [expect.stringContaining('npm run build')],
  });
});

describe('ignitionSpecOf', () => {
  test.each([
    ['4.12.0', '3.2.0'],
    ['4.13.1', '3.2.0'],
    ['4.14.0-rc.1', '3.4.0'],
    ['4.18.9', '3.4.0'],
    ['4.19.0', '3.5.0'],
    ['4.21.0-okd-scos.3', '3.5.0'],
    ['4.22.0', '3.5.0'],
    ['5.0.0', '3.5.0'],
  ])('%s reads %s', (release, spec) => expect(ignitionSpecOf(release)).toBe(spec));
  test.each(['4.11.9', '3.11.0', 'latest', '4.18', ''])('"%s" is refused', (release) => {
    expect(() => ignitionSpecOf(release)).toThrow(expect.objectContaining({ code: 'RELEASE_UNKNOWN' }));
  });
  test.each([
    ['3.2.0', '3.10.0', -1],
    ['3.2.0', '3.2.0', 0],
    ['3.5.0', '3.4.0', 1],
    ['3.6.0-experimental', '3.6.0', -1],
    ['3.6.0-experimental', '3.5.0', 1],
  ])('%s to %s', (a, b, want) => expect(Math.sign(compareSpecs(a, b))).toBe(want));
});
