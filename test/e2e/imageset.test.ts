import { readFileSync, writeFileSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { parseImageSet } from '../../src/mirror/imageset/parse.ts';
import { type ServedWorld, serveOcMirrorWorld } from '../support/oc-mirror-world.ts';
import { runEdgefab, runEdgefabJson } from '../support/run-edgefab.ts';
import { tempFolder } from '../support/temp-folder.ts';

describe('imageset show', () => {
  test('says what a set asks for, and names what is not supported', async () => {
    const file = join(tempFolder(), 'set.yaml');
    writeFileSync(
      file,
      'apiVersion: mirror.openshift.io/v2alpha1\nkind: ImageSetConfiguration\narchiveSize: 4\nmirror:\n  platform: { graph: true, channels: [{ name: stable-4.18, minVersion: 4.18.1, maxVersion: 4.18.9 }] }\n  operators: [{ catalog: quay.io/org/index:v1, packages: [{ name: lamp }] }]\n  helm: { repositories: [{ name: charts, url: https://charts.example.com }] }\n',
    );
    const run = await runEdgefab(['imageset', 'show', file]);
    expect(run.status).toBe(0);
    expect(run.stdout).toMatch(/^release +ocp +stable-4\.18 +from 4\.18\.1 up to 4\.18\.9$/m);
    expect(run.stdout).toMatch(/^operator +lamp +each +newest$/m);
    expect(run.stderr).toContain(`${file}:3: archiveSize`);
    expect(run.stderr).toMatch(/warn: the update graph image is not supported/);
    expect(run.stderr).toMatch(/warn: the Helm chart charts\/\* is not supported/);
    const { document } = await runEdgefabJson(['imageset', 'show', file]);
    expect(document).toMatchObject({
      kind: 'ImageSet',
      imageSet: { operators: [{ packages: [{ name: 'lamp' }] }] },
    });
  });

  test('refuses an unknown key with its line and the nearest one', async () => {
    const file = join(tempFolder(), 'set.yaml');
    writeFileSync(
      file,
      'apiVersion: mirror.openshift.io/v2alpha1\nkind: ImageSetConfiguration\nmirror:\n  operator: []\n',
    );
    const run = await runEdgefab(['imageset', 'show', file]);
    expect(run.status).toBe(3);
    expect(run.stderr).toMatch(/set\.yaml:4:3 {2}mirror\.operator: unknown key \(did you mean operators\?\)/);
  });
});

describe('imageset create', () => {
  test('writes a set that show reads, and never replaces a file', async () => {
    const file = join(tempFolder(), 'set.yaml');
    const command = ['imageset', 'create', '--release', '4.18.9', '--operators', 'nfd:stable,lvms-operator'];
    const run = await runEdgefab([...command, '--operator-set', 'edge', '--arch', 'aarch64', '-o', file]);
    expect([run.status, run.stdout]).toEqual([0, `${file}\n`]);
    const set = parseImageSet(readFileSync(file, 'utf8'), file);
    expect(set.platform).toMatchObject({ architectures: ['arm64'], channels: [{ minVersion: '4.18.9' }] });
    expect(set.operators[0]?.packages.slice(0, 3)).toMatchObject([
      { name: 'nfd', channels: [{ name: 'stable' }] },
      { name: 'lvms-operator', channels: [{ name: 'stable-4.18' }] },
      { name: 'local-storage-operator' },
    ]);
    expect(run.stderr).toContain('no channel is named for cluster-logging');
    const again = await runEdgefabJson([...command, '-o', file]);
    expect(again.status).toBe(4);
    expect(again.document).toMatchObject({ error: { code: 'TARGET_EXISTS' } });
  });

  test('writes the older version to stdout when asked', async () => {
    const run = await runEdgefab(['imageset', 'create', '--release', '4.13.1', '--api', 'v1alpha2']);
    expect(parseImageSet(run.stdout, 'stdout').apiVersion).toBe('mirror.openshift.io/v1alpha2');
    expect(run.stderr).toBe('');
  });

  test.each([
    ['no release', [], 2, /release/],
    ['a release that is none', ['--release', 'latest'], 2, /"latest" is not an exact version/],
    ['an unknown set', ['--release', '4.18.9', '--operator-set', 'edeg'], 2, /Did you mean "edge"/],
    ['an unknown architecture', ['--release', '4.18.9', '--arch', 'riscv'], 2, /want x86_64/],
    ['a folder that is not there', ['--release', '4.18.9', '-o', '/nonexistent/x.yaml'], 3, /cannot write/],
    [
      'a catalog that is no image',
      ['--release', '4.18.9', '--catalog', 'Red Hat', '--operators', 'a', '--pin'],
      3,
      /image reference/,
    ],
  ])('refuses %s', async (_, flags, status, message) => {
    const run = await runEdgefab(['imageset', 'create', ...flags]);
    expect(run.stderr).toMatch(message);
    expect(run.status).toBe(status);
  });
});

describe('against the catalog of a registry', () => {
  let folder: string;
  let world: ServedWorld;
  let catalog: string;

  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'edgefab-test-'));
    world = await serveOcMirrorWorld(folder);
    catalog = `${world.registry}/edge/catalog:v1`;
  });
  afterAll(async () => {
    await world?.close();
    await rm(folder, { recursive: true });
  });

  test('imageset operators lists operators, channels and versions', async () => {
    const list = (...flags: string[]) =>
      runEdgefab(['imageset', 'operators', catalog, '--insecure', ...flags]);
    const all = await list();
    expect([all.status, all.stderr]).toEqual([0, '']);
    expect(all.stdout).toMatch(/^NAME +DISPLAY NAME +DEFAULT CHANNEL$/m);
    expect(all.stdout).toMatch(/^lamp +stable$/m);
    const channels = await list('--package', 'lamp');
    expect(channels.stdout).toMatch(/^lamp +fast +lamp\.v2\.1\.0$/m);
    const versions = await list('--package', 'lamp', '--channel', 'fast', '--arch', 'aarch64');
    expect(versions.stdout).toBe(
      'VERSION  BUNDLE\n1.3.0    lamp.v1.3.0\n2.0.0    lamp.v2.0.0\n2.1.0    lamp.v2.1.0\n',
    );
    const { document } = await runEdgefabJson([
      'imageset',
      'operators',
      catalog,
      '--insecure',
      '--package',
      'lamp',
    ]);
    expect(document).toMatchObject({
      kind: 'CatalogListing',
      packages: [{ name: 'lamp', defaultChannel: 'stable' }],
      channels: [{ channel: 'fast' }, { channel: 'legacy' }, { channel: 'stable', head: 'lamp.v1.3.0' }],
    });
  });

  test.each([
    ['a misspelt operator', ['--package', 'lmap'], 3, /no package "lmap".*Did you mean "lamp"\?/s],
    ['a misspelt channel', ['--package', 'lamp', '--channel', 'fats'], 3, /Did you mean "fast"\?/],
    ['a channel of nothing', ['--channel', 'fast'], 2, /--channel needs --package/],
    ['an unknown architecture', ['--arch', 'vax'], 2, /want x86_64/],
  ])('imageset operators refuses %s', async (_, flags, status, message) => {
    const run = await runEdgefab(['imageset', 'operators', catalog, '--insecure', ...flags]);
    expect(run.stderr).toMatch(message);
    expect(run.status).toBe(status);
  });

  test('imageset operators says that an image is no catalog, and that there is none', async () => {
    const image = await runEdgefab(['imageset', 'operators', `${world.registry}/edge/tool:v2`, '--insecure']);
    expect(image.stderr).toMatch(/configs/);
    expect(image.status).toBe(6);
    const none = await runEdgefab(['imageset', 'operators', `${world.registry}/edge/none:v1`, '--insecure']);
    expect([none.status, none.stderr]).toEqual([8, expect.stringContaining('edge/none:v1')]);
  });

  test('imageset create --pin writes down the one version each operator stands for', async () => {
    const run = await runEdgefabJson(
      ['imageset', 'create', '--release', '4.18.9', '--catalog', catalog, '--pin', '--insecure'].concat([
        '--operators',
        'lamp,store:stable-4.18',
      ]),
    );
    expect(run.document.error).toBeUndefined();
    expect(run.document).toMatchObject({
      kind: 'NewImageSet',
      imageSet: {
        mirror: {
          operators: [
            {
              catalog,
              packages: [
                { name: 'lamp', channels: [{ name: 'stable', minVersion: '1.3.0', maxVersion: '1.3.0' }] },
                { name: 'store', channels: [{ name: 'stable-4.18' }] },
              ],
            },
          ],
        },
      },
    });
    expect(run.stderr).toBe('');
  });
});
