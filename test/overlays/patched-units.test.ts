import { spawnSync } from 'node:child_process';
import { chmodSync, cpSync, existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { withFile, withUnit } from '../../src/boot/ignition/edit-ignition.ts';
import type { Ignition } from '../../src/boot/ignition/ignition.ts';
import { parseIgnition } from '../../src/boot/ignition/parse-ignition.ts';
import type { OwnContent } from '../../src/boot/patch/own-content.ts';
import { patchIgnition } from '../../src/boot/patch/patch-ignition.ts';
import { spillIgnition } from '../../src/boot/patch/spill-ignition.ts';
import { planSpill } from '../../src/boot/patch/spill-plan.ts';
import { bipIgnition, FIXTURES } from '../support/bip-ignition.ts';
import { COREOS_ENABLED, coreosFiles } from '../support/coreos-double.ts';
import type { MachineContent } from '../support/coreos-machine.ts';
import { installedContent, liveContent } from '../support/machine-content.ts';
import { deliveryOptions } from '../support/patch-options.ts';
import { tempFolder } from '../support/temp-folder.ts';
import { haveTools } from '../support/tools.ts';

const LINES = ['4.13', '4.18', '4.21'] as const;
const SYSTEM = '/usr/lib/systemd/system';

/** What systemd says of all units a target wants, once everything is in its place. */
function verify({ files, enabled }: MachineContent, targets: readonly string[]): string[] {
  const root = tempFolder();
  const put = (path: string, mode: number, bytes: Uint8Array | string): void => {
    mkdirSync(dirname(join(root, path)), { recursive: true });
    writeFileSync(join(root, path), bytes);
    chmodSync(join(root, path), mode);
  };
  mkdirSync(join(root, SYSTEM), { recursive: true });
  for (const name of readdirSync(SYSTEM).filter((each) => /\.target$|journald\.socket$/.test(each)))
    cpSync(join(SYSTEM, name), join(root, SYSTEM, name), { verbatimSymlinks: true });
  for (const { path, mode, bytes } of [...coreosFiles([]), ...files]) put(path, mode, bytes);
  for (const name of ['sleep', 'true', 'sh', 'mkdir', 'echo', 'systemctl', 'chcon'])
    put(`/usr/bin/${name}`, 0o755, '#!/bin/bash\n');
  for (const path of ['/usr/sbin/dnsmasq', '/usr/lib/systemd/systemd-journald'])
    put(path, 0o755, '#!/bin/bash\n');
  for (const name of ['bin', 'sbin']) cpSync(join(root, 'usr/bin'), join(root, name), { recursive: true });
  spawnSync('systemctl', ['--quiet', `--root=${root}`, 'enable', ...COREOS_ENABLED, ...enabled]);
  const there = targets.filter((name) =>
    [SYSTEM, '/etc/systemd/system'].some((folder) => existsSync(join(root, folder, name))),
  );
  const { stderr } = spawnSync(
    'systemd-analyze',
    ['verify', `--root=${root}`, '--man=no', '--recursive-errors=yes', ...there],
    { encoding: 'utf8' },
  );
  return stderr.split('\n').filter((line) => line !== '');
}

/** Ours, or of the order of all. */
function ofConcern(lines: readonly string[]): string[] {
  return lines.filter((line) => /edgefab|cycle/i.test(line));
}

function configs(line: (typeof LINES)[number]): [string, Ignition][] {
  const made: [string, Ignition] = ['made-up', bipIgnition({ line })];
  if (FIXTURES === undefined) return [made];
  const name = `bip-${line}.ign`;
  return [made, [name, parseIgnition(readFileSync(join(FIXTURES, 'ignition', name)), name)]];
}

const cases = LINES.flatMap((line) =>
  configs(line).flatMap(([name, ignition]) =>
    (['usb', 'installDisk'] as const).flatMap((location) =>
      [true, false].map((keepOnNode) => ({ line, name, ignition, location, keepOnNode })),
    ),
  ),
);
const whyNoReal = FIXTURES === undefined ? ' (real configs SKIPPED: EDGEFAB_FIXTURES is not set)' : '';

describe.skipIf(!haveTools('systemd-analyze', 'systemctl'))(
  `all units of a patched machine together, by systemd-analyze (needs it)${whyNoReal}`,
  () => {
    test.each(cases)(
      '$line $name, cache on $location, kept $keepOnNode: nothing of ours is missing, no cycle',
      async ({ line, ignition, location, keepOnNode }) => {
        const options = deliveryOptions(ignition, { version: `${line}.1`, location, keepOnNode });
        const { ignition: patched } = await patchIgnition(ignition, options);
        const live = ['multi-user.target', 'node-image-overlay.target'];
        expect(ofConcern(verify(liveContent(patched), live))).toEqual([]);
        expect(ofConcern(verify(installedContent(patched), ['multi-user.target']))).toEqual([]);
      },
    );
    test.each(cases.filter(({ location, keepOnNode }) => location === 'usb' && keepOnNode))(
      '$line $name, with a program that comes from the cache disk: no cycle',
      async ({ line, ignition }) => {
        const options = deliveryOptions(ignition, {
          version: `${line}.1`,
          location: 'usb',
          keepOnNode: true,
        });
        const { ignition: patched } = await patchIgnition(ignition, options);
        const path = '/usr/local/bin/own';
        const [from, bytes] = [['own.bu'], Buffer.alloc(5000)];
        const withOwn = withUnit(withFile(patched, { path, mode: 0o755, text: bytes.toString() }), {
          name: 'own.service',
          enabled: true,
          contents: `[Unit]\nBefore=crio.service\n[Service]\nExecStart=/usr/local/bin/own\n[Install]\nWantedBy=multi-user.target\n`,
        });
        const own: OwnContent = {
          files: [{ path, kind: 'overlays', from, replaces: false }],
          units: [{ name: 'own.service', from }],
        };
        const { candidates } = planSpill(withOwn, own, () => undefined);
        expect(candidates).toHaveLength(1);
        const { ignition: spilled } = await spillIgnition(withOwn, own, candidates);
        const live = liveContent(spilled);
        // The program itself is not there yet.
        const files = [...live.files, { path, mode: 0o755, bytes: '#!/bin/bash\n' }];
        expect(
          ofConcern(verify({ ...live, files }, ['multi-user.target', 'node-image-overlay.target'])),
        ).toEqual([]);
      },
    );
    test('a cycle would be seen', () => {
      const unit = (name: string, after: string) => ({
        path: `/etc/systemd/system/${name}.service`,
        mode: 0o644,
        bytes: `[Unit]\nAfter=${after}.service\nRequires=${after}.service\n[Service]\nExecStart=/bin/true\n[Install]\nWantedBy=multi-user.target\n`,
      });
      const content = { files: [unit('one', 'two'), unit('two', 'one')], enabled: ['one.service'] };
      expect(ofConcern(verify(content, ['multi-user.target'])).join()).toContain('cycle');
    });
  },
);
