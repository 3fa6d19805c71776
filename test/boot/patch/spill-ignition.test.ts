import { spawnSync } from 'node:child_process';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { fileText } from '../../../src/boot/ignition/file-contents.ts';
import { serializeIgnition } from '../../../src/boot/ignition/parse-ignition.ts';
import { patchIgnition } from '../../../src/boot/patch/patch-ignition.ts';
import { spillIgnition } from '../../../src/boot/patch/spill-ignition.ts';
import { planSpill } from '../../../src/boot/patch/spill-plan.ts';
import { bipIgnition } from '../../support/bip-ignition.ts';
import { HAS_WASM, NEEDS_WASM } from '../../support/butane.ts';
import { fullPatch } from '../../support/full-patch.ts';
import { HAS_IGNITION_VALIDATE, ignitionValidate } from '../../support/ignition-validate.ts';
import { madeUpBytes } from '../../support/made-up-bytes.ts';
import { tempFolder } from '../../support/temp-folder.ts';

function overlays(): string[] {
  const folder = tempFolder();
  mkdirSync(join(folder, 'files'));
  writeFileSync(join(folder, 'files', 'tool'), madeUpBytes(20_000, 'tool'));
  writeFileSync(
    join(folder, 'tools.bu'),
    `variant: fcos
version: 1.3.0
storage:
  files:
    - { path: /usr/local/bin/tool, mode: 0755, contents: { local: files/tool } }
    - { path: /usr/local/bin/release-image-download.sh, overwrite: true, mode: 0755, contents: { local: files/tool } }
systemd:
  units:
    - { name: tool.service, enabled: true, contents: "[Service]\\nExecStart=/usr/local/bin/tool\\n[Install]\\nWantedBy=multi-user.target\\n" }
    - { name: sshd.service, dropins: [{ name: 5-own.conf, contents: "[Service]\\nRestartSec=1\\n" }] }
`,
  );
  writeFileSync(
    join(folder, 'mode.bu'),
    'variant: fcos\nversion: 1.3.0\nstorage: { files: [{ path: /usr/local/bin/tool, mode: 0775 }] }\n',
  );
  writeFileSync(
    join(folder, 'node.bu'),
    `variant: openshift
version: 4.8.0
metadata: { name: 99-own, labels: { machineconfiguration.openshift.io/role: master } }
storage: { files: [{ path: /etc/own-data, contents: { local: files/tool } }] }
`,
  );
  return ['tools.bu', 'mode.bu', 'node.bu'].map((name) => join(folder, name));
}

const MANIFEST = '/opt/openshift/openshift/99_edgefab-user-node.yaml';

describe.skipIf(!HAS_WASM)(`files of overlays moved to the cache disk${NEEDS_WASM}`, () => {
  test.each([
    ['preload', '4.13'],
    ['registry', '4.21'],
  ] as const)(
    'mode %s, %s: out of the config, into the list, and who may use them waits',
    async (mode, shape) => {
      const ignition = bipIgnition({ line: shape });
      const paths = overlays();
      const patched = await patchIgnition(
        ignition,
        fullPatch(ignition, { version: `${shape}.9`, mode, userOverlays: paths }),
      );
      const { candidates } = planSpill(patched.ignition, patched.own, () => undefined);
      const found = candidates.map(({ path, mode: bits, from }) => [path, bits, from]);
      expect(found.sort()).toEqual([
        [MANIFEST, 0o644, [paths[2]]],
        // Who else has a part in it counts: what one of them is not to all sites stays.
        ['/usr/local/bin/tool', 0o775, [paths[0], paths[1]]],
      ]);
      const spilled = await spillIgnition(patched.ignition, patched.own, candidates);
      for (const { path } of candidates)
        expect(spilled.ignition.files.some((file) => file.path === path)).toBe(false);
      const list = fileText(spilled.ignition, '/etc/edgefab/files.list')?.split('\n').slice(1, -1);
      expect(list).toEqual(
        [...candidates]
          .sort((a, b) => (a.path < b.path ? -1 : 1))
          .map(
            ({ sha256, sizeBytes, mode: bits, path }) =>
              `${sha256} ${sizeBytes} 0${bits.toString(8)} ${path}`,
          ),
      );
      const waiting = spilled.ignition.units
        .filter(({ dropins }) => dropins.some(({ name }) => name === '40-edgefab-files.conf'))
        .map(({ name }) => name);
      expect(waiting.sort()).toEqual(['bootkube.service', 'tool.service']);
      expect(spilled.ignition.units.find(({ name }) => name === 'edgefab-files.service')?.enabled).toBe(true);
      expect(spilled.report.changes[0]).toContain('moved to the cache disk as files/sha256/');
      // Nothing changes when it is done again, and whatever order they are named in.
      const again = await spillIgnition(spilled.ignition, patched.own, candidates);
      expect(again.ignition.text).toBe(spilled.ignition.text);
      const turned = await spillIgnition(patched.ignition, patched.own, candidates.toReversed());
      expect(serializeIgnition(turned.ignition)).toEqual(serializeIgnition(spilled.ignition));
      if (HAS_IGNITION_VALIDATE) expect(ignitionValidate(serializeIgnition(spilled.ignition))).toBe('');
    },
  );
});

test('the script knows the same places as the plan', () => {
  const run = (path: string): boolean =>
    spawnSync('bash', [
      '-c',
      'source <(sed -n "/^is_allowed()/,/^}/p" overlays/scripts/edgefab-files.sh); is_allowed "$1"',
      'x',
      path,
    ]).status === 0;
  for (const [path, allowed] of [
    ['/usr/local/bin/x', true],
    ['/usr/local/lib/a/b.so', true],
    ['/usr/local/libexec/x', true],
    ['/usr/local/share/x+y@z:1,2=3~', true],
    ['/opt/vendor/x', true],
    ['/opt/openshift/openshift/x.yaml', true],
    ['/opt/openshift/manifests/x.yaml', true],
    ['/opt/openshift/tls/x', false],
    ['/etc/passwd', false],
    ['/usr/local/bin/../../../etc/passwd', false],
    ['/usr/local/bin/..', false],
    ['/usr/local/bin/./x', false],
    ['/usr/local/bin//x', false],
    ['/usr/local/bin/x/', false],
    ['usr/local/bin/x', false],
    ['/usr/local/bin/$(x)', false],
    ['/usr/local/bin/a b', false],
  ] as const)
    expect([path, run(path)]).toEqual([path, allowed]);
});
