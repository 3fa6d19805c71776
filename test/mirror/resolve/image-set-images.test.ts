import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { startDemoRegistry } from '../../../src/factory/demo/made-release.ts';
import { parseImageSet } from '../../../src/mirror/imageset/parse.ts';
import { type ImageSetOptions, imageSetImages } from '../../../src/mirror/resolve/image-set-images.ts';
import { createRegistryClient } from '../../../src/oci/client.ts';
import { tempFolder } from '../../support/temp-folder.ts';
import { makeTestHost } from '../../support/test-host.ts';

const noGraph: ImageSetOptions['graph'] = async () => {
  throw new Error('no graph is asked for here');
};

function imageSet(mirror: string) {
  return parseImageSet(
    `apiVersion: mirror.openshift.io/v2alpha1\nkind: ImageSetConfiguration\nmirror:\n${mirror}`,
    'set.yaml',
  );
}

async function demo() {
  const registry = await startDemoRegistry(join(tempFolder(), 'registry'));
  onTestFinished(() => registry.server.close());
  const client = createRegistryClient(
    { credentials: { find: async () => undefined }, insecure: true },
    makeTestHost(),
  );
  onTestFinished(() => client.close());
  return { ...registry, client };
}

const PLAIN = { architecture: 'amd64', graph: noGraph } as const;

test('a release stands for itself and every component, each with its roles and who asks for it', async () => {
  const { client, releaseImage, release } = await demo();
  const set = imageSet(`  platform: { release: "${releaseImage}" }\n`);
  const { wanted, releases, warnings } = await imageSetImages(set, client, {
    ...PLAIN,
    bootstrap: [{ name: 'etcd', use: 'run', askedBy: [{ path: '/usr/local/bin/bootkube.sh', line: 12 }] }],
  });
  expect(releases).toEqual([{ version: '4.18.0', image: releaseImage, digest: release }]);
  expect(warnings).toEqual([]);
  expect(new Set(wanted.map(({ reference }) => reference)).size).toBe(18);
  const rolesOf = (text: string): string[] => [
    ...new Set(wanted.filter(({ requiredBy }) => requiredBy.includes(text)).map(({ role }) => role)),
  ];
  expect(rolesOf(': etcd')).toEqual(['bootstrap', 'release']);
  expect(rolesOf(': rhel-coreos')).toEqual(['os']);
  expect(rolesOf(': cluster-bootstrap')).toEqual(['release']);
  expect(wanted.find(({ requiredBy }) => requiredBy.includes(': etcd'))?.requiredBy).toContain(
    'bootkube.sh:12',
  );
});

test.each([
  ['harmless', 'cluster-config-operator$', undefined],
  ['one the bootstrap needs', '-etcd$', /etcd.*needed by/s],
])('a filter that drops %s', async (_, pattern, refusal) => {
  const { client, releaseImage } = await demo();
  const set = imageSet(
    `  platform: { release: "${releaseImage}" }\n  blockedImages: [{ name: "${pattern}" }]\n`,
  );
  const options = { ...PLAIN, bootstrap: [{ name: 'etcd', use: 'run' }] };
  const found = imageSetImages(set, client, options);
  if (refusal === undefined) {
    const { wanted, ignored } = await found;
    expect(new Set(wanted.map(({ reference }) => reference)).size).toBe(17);
    expect(ignored).toEqual([
      {
        reference: expect.stringContaining('@sha256:'),
        mirrorName: 'openshift/release:4.18.0-x86_64-cluster-config-operator',
        reason: 'matches "cluster-config-operator$"',
      },
    ]);
    expect(wanted.map(({ reference }) => reference)).not.toContain(ignored[0]?.reference);
    expect(wanted.map(({ mirrorName }) => mirrorName)).toContain('openshift/release:4.18.0-x86_64-etcd');
    return;
  }
  await expect(found).rejects.toMatchObject({
    code: 'FILTER_BREAKS_INSTALL',
    message: expect.stringMatching(refusal),
  });
  const forced = await imageSetImages(set, client, { ...options, forceFilter: true });
  expect(forced.warnings.join()).toContain('1 of them needed by the install');
});

test('the release is vouched for before its payload is used, and told whether its digest was written down', async () => {
  const { client, releaseImage } = await demo();
  const asked: unknown[] = [];
  const set = imageSet(`  platform: { release: "${releaseImage}" }\n`);
  const refusing = imageSetImages(set, client, {
    ...PLAIN,
    trustRelease: async (release) => {
      asked.push(release);
      throw new Error('not vouched for');
    },
  });
  await expect(refusing).rejects.toThrow('not vouched for');
  expect(asked).toEqual([expect.objectContaining({ image: releaseImage, pinned: true })]);
});

test('what cannot be mirrored is refused with every line, not left out', async () => {
  const { client } = await demo();
  const set = imageSet(`  platform:
    graph: true
    kubeVirtContainer: true
  samples: [{ name: ruby }]
  helm: { local: [{ name: chart, path: /c.tgz }] }
`);
  await expect(imageSetImages(set, client, PLAIN)).rejects.toMatchObject({
    code: 'IMAGESET_UNSUPPORTED',
    message: expect.stringMatching(
      /set\.yaml:5:.*graph.*set\.yaml:6:.*KubeVirt.*set\.yaml:8:.*chart.*set\.yaml:7:.*ruby/s,
    ),
  });
});
