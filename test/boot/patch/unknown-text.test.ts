import { describe, expect, test } from 'vitest';
import { withFileText, withUnit } from '../../../src/boot/ignition/edit-ignition.ts';
import { fileText } from '../../../src/boot/ignition/file-contents.ts';
import type { Ignition } from '../../../src/boot/ignition/ignition.ts';
import { parseIgnitionText } from '../../../src/boot/ignition/parse-ignition.ts';
import { patchIgnition } from '../../../src/boot/patch/patch-ignition.ts';
import { bipIgnition, type DemoLine } from '../../support/bip-ignition.ts';
import { fullPatch } from '../../support/full-patch.ts';

const INSTALL = '/usr/local/bin/install-to-disk.sh';
const DOWNLOAD = '/usr/local/bin/release-image-download.sh';
const OVERRIDES = '/opt/openshift/manifests/cvo-overrides.yaml';
const CALL = 'coreos-installer install -n -i /opt/openshift/master.ign /dev/sda';

type Mutation = (ignition: Ignition) => Ignition;

/** Writes another text in the place of one in a file, which must have it. */
function edited(path: string, from: string, to: string): Mutation {
  return (ignition) => {
    const text = fileText(ignition, path) ?? '';
    expect(text).toContain(from);
    return withFileText(ignition, path, text.replace(from, to));
  };
}

const replaced =
  (path: string, text: string): Mutation =>
  (ignition) =>
    withFileText(ignition, path, text);

/** Takes files and units out, as a release that does without them would. */
function without(...names: readonly string[]): Mutation {
  return (ignition) => {
    const config = JSON.parse(ignition.text);
    config.storage.files = config.storage.files.filter(
      (file: { path: string }) => !names.includes(file.path),
    );
    config.systemd.units = config.systemd.units.filter(
      (unit: { name: string }) => !names.includes(unit.name),
    );
    return parseIgnitionText(JSON.stringify(config), 'mutated.ign');
  };
}

const unit =
  (name: string, contents: string): Mutation =>
  (ignition) =>
    withUnit(ignition, { name, enabled: true, contents });

type Mode = 'registry' | 'preload';

/** What is mutated, in which mode it matters, the step that must refuse, what it names, expects and found. */
const ROWS: readonly [string, readonly Mode[], Mutation, string, string, RegExp, RegExp][] = [
  [
    'another call of coreos-installer',
    ['registry', 'preload'],
    edited(INSTALL, 'install -n -i', 'install --new -i'),
    'save-partlabel',
    INSTALL,
    /coreos-installer install -n -i \S+ \/dev\/DISK/,
    /install --new -i/,
  ],
  [
    'two calls of coreos-installer',
    ['registry', 'preload'],
    edited(INSTALL, CALL, `${CALL}\n  ${CALL}`),
    'save-partlabel',
    INSTALL,
    /coreos-installer install -n/,
    /\/dev\/sda\n.*\/dev\/sda/,
  ],
  [
    'no call of coreos-installer',
    ['registry', 'preload'],
    edited(INSTALL, CALL, 'true'),
    'save-partlabel',
    INSTALL,
    /coreos-installer install -n/,
    /true/,
  ],
  [
    'a bootkube unit that runs nothing',
    ['registry'],
    unit('bootkube.service', '[Unit]\nDescription=moved elsewhere\n'),
    'registry-live',
    'bootkube.service',
    /a unit with ExecStart=/,
    /moved elsewhere/,
  ],
  [
    'no release-image unit',
    ['registry'],
    without('release-image.service'),
    'registry-live',
    'release-image.service',
    /a unit with ExecStart=/,
    /\(nothing\)/,
  ],
  [
    'no release-image unit',
    ['preload'],
    without('release-image.service'),
    'preload-live',
    'release-image.service',
    /ExecStart=\S+release-image-download\.sh/,
    /\(nothing\)/,
  ],
  [
    'a release-image unit that runs something else',
    ['preload'],
    unit('release-image.service', '[Service]\nExecStart=/usr/bin/other\n'),
    'preload-live',
    'release-image.service',
    /ExecStart=\S+release-image-download\.sh/,
    /ExecStart=\/usr\/bin\/other/,
  ],
  [
    'a download script that pulls by other means',
    ['preload'],
    replaced(DOWNLOAD, '#!/bin/bash\nskopeo copy a b\n'),
    'preload-live',
    DOWNLOAD,
    /podman pull/,
    /skopeo copy a b/,
  ],
  [
    'no ClusterVersion to write the override into',
    ['registry'],
    without(OVERRIDES),
    'operator-hub',
    OVERRIDES,
    /kind: ClusterVersion/,
    /\(nothing\)/,
  ],
  [
    'another object in its place',
    ['registry'],
    replaced(OVERRIDES, 'apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: a\n'),
    'operator-hub',
    OVERRIDES,
    /kind: ClusterVersion/,
    /kind: ConfigMap/,
  ],
];

/** The parts of the view that a refusal shows. */
function viewOf(message: string): Record<'expected' | 'found' | 'wanted', string> {
  const [, expected = '', found = '', wanted = ''] =
    /\nexpected:\n([\s\S]*)\nfound:\n([\s\S]*)\nthe step would make:\n([\s\S]*)$/.exec(message) ?? [];
  return { expected, found, wanted };
}

const SHAPES: readonly { readonly shape: DemoLine; readonly version: string }[] = [
  { shape: '4.13', version: '4.13.1' },
  { shape: '4.18', version: '4.18.9' },
  { shape: '4.21', version: '4.21.3' },
];

describe.each(SHAPES)(
  'installer text of $version that is not known is refused, with three views:',
  ({ shape, version }) => {
    const rows = ROWS.flatMap(([name, modes, ...rest]) =>
      modes.map((mode) => [`${name} (${mode})`, mode, ...rest] as const),
    );
    test.each(rows)('%s', async (_name, mode, mutate, step, path, expected, found) => {
      const before = bipIgnition({ line: shape });
      const options = fullPatch(before, { version, mode });
      await patchIgnition(before, options);
      const mutated = mutate(before);
      const refusal = await patchIgnition(mutated, options).catch((error: unknown) => error);
      expect(refusal).toMatchObject({
        code: 'INSTALLER_TEXT_UNKNOWN',
        exitCode: 4,
        place: { file: mutated.where, field: path },
        message: expect.stringContaining(
          `the patch ${step} does not know the text of ${path}, and will not guess`,
        ),
      });
      const view = viewOf((refusal as Error).message);
      expect(view.expected).toMatch(expected);
      expect(view.found).toMatch(found);
      expect(view.wanted).toMatch(/^ {2}[-+ ]/m);
    });
  },
);

test.each([INSTALL, 'bootkube.service', 'install-to-disk.service'])(
  'a config without %s is none for bootstrap in place, which is said before any step',
  async (name) => {
    const before = bipIgnition();
    const options = fullPatch(before, { version: '4.18.9' });
    await expect(patchIgnition(without(name)(before), options)).rejects.toMatchObject({
      code: 'IGNITION_NOT_BIP',
      message: expect.stringContaining(name),
    });
  },
);
