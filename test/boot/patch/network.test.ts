import { describe, expect, test } from 'vitest';
import { parse } from 'yaml';
import { fileText } from '../../../src/boot/ignition/file-contents.ts';
import { serializeIgnition } from '../../../src/boot/ignition/parse-ignition.ts';
import { renderKeyfiles } from '../../../src/boot/network/render-keyfiles.ts';
import { networkStep } from '../../../src/boot/patch/network.ts';
import { patchIgnition } from '../../../src/boot/patch/patch-ignition.ts';
import { applyStep } from '../../../src/boot/patch/step.ts';
import { decodeDataUrl } from '../../../src/formats/data-url.ts';
import { bipIgnition } from '../../support/bip-ignition.ts';
import { HAS_IGNITION_VALIDATE, ignitionValidate } from '../../support/ignition-validate.ts';
import { PATCH_OPTIONS } from '../../support/patch-options.ts';
import { SHAPES } from '../network/shapes.ts';

const MANIFEST = '/opt/openshift/openshift/99_edgefab-network.yaml';

interface MachineConfig {
  readonly metadata: { readonly name: string };
  readonly spec: {
    readonly config: {
      readonly storage: {
        readonly files: readonly { path: string; mode: number; contents: { source: string } }[];
      };
    };
  };
}

describe.each(Object.entries(SHAPES))('%s', (_name, shape) => {
  const keyfiles = renderKeyfiles(shape);
  test('the node gets the same files, readable by root alone', () => {
    const { ignition, report } = applyStep(bipIgnition(), networkStep(keyfiles));
    expect(report.changes).toEqual([`MachineConfig manifest ${MANIFEST}`]);
    const manifest = parse(fileText(ignition, MANIFEST) ?? '') as MachineConfig;
    expect(manifest.metadata.name).toBe('99-edgefab-network');
    const { files } = manifest.spec.config.storage;
    expect(
      files.map(({ path, mode, contents }) => [
        path,
        mode,
        Buffer.from(decodeDataUrl(contents.source).bytes).toString(),
      ]),
    ).toEqual(
      keyfiles.map(({ name, text }) => [`/etc/NetworkManager/system-connections/${name}`, 0o600, text]),
    );
    expect(applyStep(ignition, networkStep(keyfiles)).report.changes).toEqual([]);
  });
});

test.skipIf(!HAS_IGNITION_VALIDATE)(
  `as a step of the patch${HAS_IGNITION_VALIDATE ? '' : ' (SKIPPED: no ignition-validate on PATH)'}`,
  async () => {
    const options = { ...PATCH_OPTIONS, network: renderKeyfiles(SHAPES['bond-and-vlans'] ?? never()) };
    const { ignition, report } = await patchIgnition(bipIgnition(), options);
    expect(report.find(({ name }) => name === 'network')?.changes).toHaveLength(1);
    expect(ignitionValidate(serializeIgnition(ignition))).toBe('');
    expect((await patchIgnition(ignition, options)).ignition.text).toBe(ignition.text);
  },
);

function never(): never {
  throw new Error('no such shape');
}

test('without a network nothing changes, and the report says what the node does', () => {
  const { report } = applyStep(bipIgnition(), networkStep([]));
  expect(report).toMatchObject({ changes: [], skipped: 'no network was given: the node asks DHCP' });
});

test.each(['../x.nmconnection', 'x', '.x.nmconnection', 'a b.nmconnection', 'a\n.nmconnection'])(
  'refuses a file called %j',
  (name) => {
    expect(() => networkStep([{ name, text: '' }])).toThrow(
      expect.objectContaining({ code: 'USAGE_INVALID' }),
    );
  },
);
