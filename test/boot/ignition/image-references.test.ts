import { expect, test } from 'vitest';
import { withDropin, withFile, withUnit } from '../../../src/boot/ignition/edit-ignition.ts';
import { imageReferences } from '../../../src/boot/ignition/image-references.ts';
import { machineConfigManifest } from '../../../src/boot/patch/machine-config.ts';
import { bipIgnition, RELEASE_IMAGE } from '../../support/bip-ignition.ts';

const DIGEST = `sha256:${'a'.repeat(64)}`;

/** The images a config names beyond those it had. */
function added(change: (ignition: ReturnType<typeof bipIgnition>) => ReturnType<typeof bipIgnition>) {
  return imageReferences(change(bipIgnition())).filter(({ reference }) => reference !== RELEASE_IMAGE);
}

test('the release image is named by the scripts that pull it', () => {
  expect(imageReferences(bipIgnition())).toEqual([
    {
      reference: RELEASE_IMAGE,
      namedBy: ['/usr/local/bin/release-image-download.sh', '/usr/local/bin/release-image.sh'],
    },
  ]);
});

test.each([
  ['in a file', `IMAGE=quay.io/x/y@${DIGEST}\n`, 'quay.io/x/y'],
  ['with a tag before the digest', `"quay.io/x/y:v1@${DIGEST}"`, 'quay.io/x/y'],
  ['of a registry with a port', `image: registry.test:5000/a/b@${DIGEST}`, 'registry.test:5000/a/b'],
  [
    'in base64',
    Buffer.from(`image: quay.io/deep@${DIGEST} and more text`).toString('base64'),
    'quay.io/deep',
  ],
])('an image %s', (_where, text, repository) => {
  const found = added((ignition) => withFile(ignition, { path: '/etc/x', mode: 0o644, text }));
  expect(found).toEqual([{ reference: `${repository}@${DIGEST}`, namedBy: ['/etc/x'] }]);
});

test('an image in a file of a MachineConfig', () => {
  const manifest = machineConfigManifest({
    name: '99-x',
    files: [{ path: '/etc/x', mode: 0o644, text: `image=quay.io/x/y@${DIGEST}` }],
    units: [],
  });
  expect(added((ignition) => withFile(ignition, manifest))).toEqual([
    { reference: `quay.io/x/y@${DIGEST}`, namedBy: [manifest.path] },
  ]);
});

test('an image behind a space in a file of a MachineConfig, whose data URL writes that as %20', () => {
  const manifest = machineConfigManifest({
    name: '99-x',
    files: [{ path: '/etc/x', mode: 0o644, text: `both quay.io/x/y@${DIGEST} views/dir/quay.io/x/y\n` }],
    units: [],
  });
  expect(manifest.text).toContain('%20quay.io');
  expect(added((ignition) => withFile(ignition, manifest))).toEqual([
    { reference: `quay.io/x/y@${DIGEST}`, namedBy: [manifest.path] },
  ]);
});

test('an image in a unit and in a drop-in', () => {
  const contents = `[Service]\nExecStart=/usr/bin/podman run quay.io/x/y@${DIGEST}\n`;
  const found = added((ignition) =>
    withDropin(withUnit(ignition, { name: 'x.service', enabled: true, contents }), 'y.service', {
      name: '10.conf',
      contents,
    }),
  );
  expect(found).toEqual([
    { reference: `quay.io/x/y@${DIGEST}`, namedBy: ['x.service', 'y.service.d/10.conf'] },
  ]);
});

test.each([
  ['a path', `/usr/share/x@${DIGEST}`],
  ['a digest that goes on', `quay.io/x/y@${DIGEST}a`],
  ['a word without a host', `library/x@${DIGEST}`],
])('%s is no image', (_what, text) => {
  expect(added((ignition) => withFile(ignition, { path: '/etc/x', mode: 0o644, text }))).toEqual([]);
});
