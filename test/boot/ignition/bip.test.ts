import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { assertBip, isBip } from '../../../src/boot/ignition/bip.ts';
import { withFileText } from '../../../src/boot/ignition/edit-ignition.ts';
import { bootstrapImageNames } from '../../../src/boot/ignition/image-names.ts';
import { loadIgnition } from '../../../src/boot/ignition/load-ignition.ts';
import { parseIgnitionText } from '../../../src/boot/ignition/parse-ignition.ts';
import { releaseImage } from '../../../src/boot/ignition/release-image.ts';
import { bipIgnition, FIXTURES, RELEASE_IMAGE } from '../../support/bip-ignition.ts';

const RELEASE_SCRIPT = '/usr/local/bin/release-image.sh';
const BOOTKUBE = '/usr/local/bin/bootkube.sh';

test('a bootstrap-in-place config is one', () => {
  expect(isBip(bipIgnition())).toBe(true);
  expect(() => assertBip(bipIgnition())).not.toThrow();
});

test.each(['4.13', '4.18', '4.21'] as const)('a made-up %s is the same bytes each time', (line) => {
  expect(bipIgnition({ line }).text).toBe(bipIgnition({ line }).text);
  expect(isBip(bipIgnition({ line }))).toBe(true);
});

test('another config is told what it lacks and how to get one', () => {
  const other = parseIgnitionText('{"ignition":{"version":"3.2.0"}}', 'worker.ign');
  expect(isBip(other)).toBe(false);
  expect(() => assertBip(other)).toThrow(
    expect.objectContaining({
      code: 'IGNITION_NOT_BIP',
      message: expect.stringMatching(/install-to-disk\.sh.*bootkube\.service.*\/opt\/openshift\//),
      suggestions: [expect.stringContaining('openshift-install create single-node-ignition-config')],
    }),
  );
});

describe('releaseImage', () => {
  test('reads the pull spec', () => expect(releaseImage(bipIgnition())).toBe(RELEASE_IMAGE));
  test.each([
    ['a tag', 'quay.io/okd/scos-release:4.21.0-okd-scos.3'],
    ['a port', 'registry.example.com:5000/a/b/c@sha256:'.concat('2'.repeat(64))],
  ])('reads one with %s', (_name, spec) => {
    expect(releaseImage(bipIgnition({ releaseImage: spec }))).toBe(spec);
  });
  test.each([
    ['no image', 'echo nothing\n', /got none/],
    [
      'two images',
      'podman inspect quay.io/a/b:1 --format x\nRELEASE_IMAGE_DIGEST="quay.io/a/b:2"\n',
      /got quay.io\/a\/b:1 and quay.io\/a\/b:2/,
    ],
    ['one in a comment only', '# podman inspect quay.io/a/b:1 --format x\n', /got none/],
  ])('refuses %s', (_name, script, message) => {
    const ignition = withFileText(bipIgnition(), RELEASE_SCRIPT, script);
    expect(() => releaseImage(ignition)).toThrow(
      expect.objectContaining({ code: 'INSTALLER_TEXT_UNKNOWN', message: expect.stringMatching(message) }),
    );
  });
});

describe('bootstrapImageNames', () => {
  const of = (script: string): string[] =>
    bootstrapImageNames(withFileText(bipIgnition(), BOOTKUBE, script)).map(
      ({ name, use }) => `${name} ${use}`,
    );
  const pause = 'pod config';

  test('names who asks, by file and line', () => {
    const pod = bootstrapImageNames(bipIgnition()).find((each) => each.name === 'pod');
    expect(pod).toEqual({
      name: 'pod',
      use: 'config',
      askedBy: [{ path: '/usr/local/bin/crio-configure.sh', line: 6 }],
    });
  });

  test.each([
    ['a container that is run', `A=$(image_for etcd)\npodman run \\\n  "\${A}" \\\n  x`, ['etcd run', pause]],
    [
      'a container run without quotes',
      `A=$(image_for etcd)\npodman run \\\n  \${A} \\\n  x`,
      ['etcd run', pause],
    ],
    [
      'a command put together',
      `A=$(image_for etcd)\npodmancmd="\${podmancmd} --name x \${A}"`,
      ['etcd run', pause],
    ],
    [
      'a static pod',
      `A=$(image_for hyperkube)\n  --manifest-image="\${A}" \\`,
      ['hyperkube static-pod', pause],
    ],
    [
      'a flag without use here',
      `A=$(image_for coredns)\n --coredns-image="\${A}" \\`,
      ['coredns name-only', pause],
    ],
    [
      'an ask with an or',
      `A=$(image_for k || echo "no")\n --keepalived-image="\${A}"`,
      ['k name-only', pause],
    ],
    ['a name no one uses', 'A=$(image_for machine-os-content)', ['machine-os-content name-only', pause]],
    [
      'a node image by variable',
      `x=rhel-coreos\nuntil A=$(image_for \${x}); do :; done\nostree y docker://"\${A}"`,
      [pause, 'rhel-coreos os'],
    ],
    ['the same twice', 'A=$(image_for etcd)\nB=$(image_for etcd)\npodman run \\\n "$B"', ['etcd run', pause]],
    ['a comment', '# A=$(image_for etcd)', [pause]],
    ['the function itself', 'image_for() {\n  :\n}', [pause]],
  ])('%s', (_name, script, want) => {
    expect(of(script)).toEqual(want);
  });

  test.each([
    ['a variable set twice', 'x=a\nx=b\nA=$(image_for $x)'],
    ['a variable set nowhere', `A=$(image_for "\${x}")`],
    ['a name that is put together', `A=$(image_for "os-\${stream}")`],
  ])('refuses %s', (_name, script) => {
    expect(() => of(script)).toThrow(
      expect.objectContaining({ code: 'INSTALLER_TEXT_UNKNOWN', message: expect.stringContaining(BOOTKUBE) }),
    );
  });
});

const COMMON = [
  ...['cloud-credential-operator', 'cluster-bootstrap', 'cluster-config-operator', 'cluster-etcd-operator'],
  ...[
    'cluster-ingress-operator',
    'cluster-kube-apiserver-operator',
    'cluster-kube-controller-manager-operator',
  ],
  ...['cluster-kube-scheduler-operator', 'cluster-node-tuning-operator', 'cluster-policy-controller', 'etcd'],
  ...['hyperkube', 'machine-config-operator', 'pod'],
];
const ONLY_NAMED = [
  'baremetal-runtimecfg',
  'coredns',
  'haproxy-router',
  'keepalived-ipfailover',
  'machine-os-content',
];

describe.skipIf(FIXTURES === undefined)('real configs (needs EDGEFAB_FIXTURES)', () => {
  test.each([
    ['bip-4.13', COMMON, ONLY_NAMED],
    ['bip-4.18', [...COMMON, 'cluster-config-api'], []],
    ['bip-4.21', [...COMMON, 'cluster-authentication-operator', 'cluster-config-api', 'rhel-coreos'], []],
  ])('%s asks for the images of its release line', async (name, pulled, named) => {
    const ignition = await loadIgnition(join(FIXTURES ?? '', 'ignition', `${name}.ign`));
    expect(isBip(ignition)).toBe(true);
    expect(releaseImage(ignition)).toMatch(/^quay\.io\/openshift-release-dev\/ocp-release@sha256:/);
    const images = bootstrapImageNames(ignition);
    const names = (onlyNamed: boolean): string[] =>
      images.filter((each) => (each.use === 'name-only') === onlyNamed).map((each) => each.name);
    expect(names(false)).toEqual([...pulled].sort());
    expect(names(true)).toEqual([...named]);
  });
});
