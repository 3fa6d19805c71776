import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { startDemoRegistry } from '../../src/factory/demo/made-release.ts';
import { parseLock } from '../../src/mirror/resolve/lock.ts';
import { runEdgefab } from '../support/run-edgefab.ts';
import { tempFolder } from '../support/temp-folder.ts';

test('a filled cache has the old list files, and the lock says what was blocked', async () => {
  const folder = tempFolder();
  const { server, releaseImage } = await startDemoRegistry(join(folder, 'registry'));
  onTestFinished(() => server.close());
  const set = join(folder, 'imageset.yaml');
  writeFileSync(
    set,
    `apiVersion: mirror.openshift.io/v2alpha1\nkind: ImageSetConfiguration\nmirror:\n  platform: { release: "${releaseImage}" }\n  additionalImages: [{ name: "quay.io/never/asked:v1" }]\n  blockedImages: [{ name: x86_64-cluster-etcd-operator$ }, { name: never/asked }]\n`,
  );
  const cache = join(folder, 'cache');
  const run = await runEdgefab(['precache', set, '-f', cache, '--insecure', '--force-filter']);
  expect(run.stderr).not.toContain('error');
  expect(run.status).toBe(0);

  const lock = parseLock(readFileSync(join(cache, 'edgefab.lock'), 'utf8'), 'edgefab.lock');
  expect(lock.images).toHaveLength(17);
  expect(lock.ignored).toHaveLength(2);
  expect(lock.ignored).toContainEqual({
    reference: 'quay.io/never/asked:v1',
    reason: 'matches "never/asked"',
  });

  const lines = (file: string) =>
    readFileSync(join(cache, 'lists', file), 'utf8')
      .trimEnd()
      .split('\n');
  expect(readdirSync(join(cache, 'lists')).sort()).toEqual([
    'ai-images.txt',
    'ignored-images.txt',
    'mapping.txt',
    'ocp-images.txt',
  ]);
  const mapping = lines('mapping.txt');
  expect(mapping).toContain(`${releaseImage}=openshift/release-images:4.18.0-x86_64`);
  expect(mapping.filter((line) => line.endsWith('=openshift/release:4.18.0-x86_64-etcd'))).toHaveLength(1);
  expect(mapping).toHaveLength(17);
  expect(lines('ai-images.txt')).toContain(releaseImage);
  expect(lines('ocp-images.txt')).toHaveLength(17);
  expect(lines('ignored-images.txt')).toEqual([
    expect.stringMatching(/=openshift\/release:4\.18\.0-x86_64-cluster-etcd-operator$/),
    'quay.io/never/asked:v1=never/asked:v1',
  ]);
});
