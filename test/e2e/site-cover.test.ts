import { chmodSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { demoBipIgnition } from '../../src/factory/demo/bip-ignition.ts';
import { parseLock } from '../../src/mirror/resolve/lock.ts';
import { storePaths } from '../../src/mirror/store/store-paths.ts';
import { type MadeFactory, makeFactory } from '../support/made-factory.ts';
import { runEdgefab, runEdgefabJson } from '../support/run-edgefab.ts';

/** Runs edgefab in a factory's folder. */
function inFactory({ folder }: MadeFactory, env: Readonly<Record<string, string>> = {}) {
  return (...args: string[]) => runEdgefab(args, { cwd: folder, env });
}

const lockOf = (factory: MadeFactory) =>
  parseLock(readFileSync(factory.at('edgefab.lock'), 'utf8'), 'edgefab.lock');

test('cache verify --for: covered, and with a blob gone the image that wants it is named', async () => {
  const factory = await makeFactory();
  const run = inFactory(factory);
  expect(await run('precache', '--insecure', '--quiet')).toMatchObject({ status: 0 });
  const covered = await run('cache', 'verify', 'cache', '--for', 'bip', '--quiet');
  expect(covered).toMatchObject({ status: 0, stderr: '' });
  expect(covered.stdout).toMatch(
    /^site bip: all \d+ images that its install asks for are there \(release 4\.18\.0\)$/m,
  );
  expect(await run('cache', 'verify', 'cache', '--for', 'nobody')).toMatchObject({ status: 2 });

  const etcd = lockOf(factory).images.find(({ requiredBy }) =>
    requiredBy.some((who) => who.includes('bootkube.sh')),
  );
  const own = etcd?.blobs.at(-1);
  if (etcd === undefined || own === undefined) throw new RangeError('the lock has no image of the bootstrap');
  rmSync(storePaths.blob(factory.at('cache'), own.digest));
  const gone = await run('cache', 'verify', 'cache', '--for', 'bip');
  expect(gone.status).toBe(5);
  expect(gone.stderr).toContain(own.digest.slice('sha256:'.length));
  expect(gone.stderr).toContain(etcd.source);
});

test('a cache that lacks what the bootstrap runs is refused by verify --for and by iso, with who needs it', async () => {
  const factory = await makeFactory();
  const run = inFactory(factory);
  writeFileSync(factory.at('filter.txt'), 'cluster-etcd-operator$\n');
  const filter = ['--filter', 'filter.txt', '--force-filter'];
  expect(await run('precache', '--insecure', '--quiet', ...filter)).toMatchObject({ status: 0 });
  const lacks = /@sha256:[0-9a-f]{64} \(bootstrap\): .*; needed by .*bootkube\.sh:\d+/;

  for (const args of [
    ['cache', 'verify', 'cache', '--for', 'bip'],
    ['iso', 'bip', ...filter],
  ]) {
    const refused = await run(...args);
    expect([args[0], refused.status]).toEqual([args[0], 4]);
    expect(refused.stderr).toMatch(lacks);
    expect(refused.stderr).toContain('--allow-missing bootstrap');
    const allowed = await run(...args, '--allow-missing', 'bootstrap');
    expect([args[0], allowed.status, allowed.stdout === '']).toEqual([args[0], 0, false]);
  }
  expect(
    (await run('cache', 'verify', 'cache', '--for', 'bip', '--allow-missing', 'bootstrap')).stderr,
  ).toMatch(/allowed to be missing: .*\(bootstrap\)/);
});

test('two builds have the same bytes, by the build time kept in out/batch.json or by SOURCE_DATE_EPOCH', async () => {
  const factory = await makeFactory();
  expect(await inFactory(factory)('precache', '--insecure', '--quiet')).toMatchObject({ status: 0 });
  const iso = factory.at('out', 'bip', 'bip.iso');
  const batch = factory.at('out', 'batch.json');
  const build = async (env: Readonly<Record<string, string>>): Promise<Buffer> => {
    rmSync(iso, { force: true });
    expect(await inFactory(factory, env)('iso', 'bip')).toMatchObject({ status: 0 });
    return readFileSync(iso);
  };

  const first = await build({});
  expect(statSync(batch).mode & 0o777).toBe(0o600);
  const { buildTime } = JSON.parse(readFileSync(batch, 'utf8')) as { buildTime: string };
  const kept = readFileSync(batch, 'utf8');
  expect((await build({})).equals(first)).toBe(true);
  expect(readFileSync(batch, 'utf8')).toBe(kept);
  const epoch = String(Date.parse(buildTime) / 1000);
  expect((await build({ SOURCE_DATE_EPOCH: epoch })).equals(first)).toBe(true);

  const other = await build({ SOURCE_DATE_EPOCH: '1700000000' });
  expect(other.equals(first)).toBe(false);
  expect((await build({ SOURCE_DATE_EPOCH: '1700000000' })).equals(other)).toBe(true);
  expect(readFileSync(batch, 'utf8')).toBe(kept);
  const bad = await runEdgefabJson(['iso', 'bip'], {
    cwd: factory.folder,
    env: { SOURCE_DATE_EPOCH: 'soon' },
  });
  expect([bad.status, bad.document]).toMatchObject([2, { error: { code: 'USAGE_INVALID' } }]);
});

test('iso keeps the Ignition the installer made, and --renew has a new one made', async () => {
  const factory = await makeFactory();
  const { releaseImage } = factory;
  for (const number of ['1', '2', '3'])
    writeFileSync(
      factory.at(`made-${number}.ign`),
      demoBipIgnition({
        clusterName: 'bip',
        domain: 'example.com',
        installDisk: '/dev/sda',
        releaseImage,
        extraFiles: [{ path: '/etc/made', mode: 0o644, text: number }],
      }),
    );
  // Does what openshift-install does, with another config at each run.
  writeFileSync(
    factory.at('openshift-install'),
    `#!/bin/bash
set -euo pipefail
if [[ $1 == version ]]; then
  printf '%s 4.18.0\\nrelease image %s\\nrelease architecture amd64\\n' "$0" '${releaseImage}'
  exit 0
fi
here='${factory.folder}'
echo run >>"$here/runs"
rm "$4/install-config.yaml"
mkdir -p "$4/auth"
echo kubeconfig >"$4/auth/kubeconfig"
printf password >"$4/auth/kubeadmin-password"
cp "$here/made-$(wc -l <"$here/runs" | tr -d ' ').ign" "$4/bootstrap-in-place-for-live-iso.ign"
`,
  );
  chmodSync(factory.at('openshift-install'), 0o755);
  writeFileSync(factory.at('pull-secret.json'), '{"auths":{"quay.io":{"auth":"YTpi"}}}', { mode: 0o600 });
  writeFileSync(
    factory.at('install-config.yaml'),
    'apiVersion: v1\nbaseDomain: example.com\nmetadata: { name: bip }\ncontrolPlane: { name: master, replicas: 1 }\ncompute: [{ name: worker, replicas: 0 }]\nplatform: { none: {} }\n',
  );
  const text = readFileSync(factory.at('factory.yaml'), 'utf8');
  writeFileSync(
    factory.at('factory.yaml'),
    text
      .replace('    ignition: bip.ign\n', '    domain: example.com\n    installDisk: { path: /dev/sda }\n')
      .replace('liveIso: live.iso }', 'liveIso: live.iso, installer: ./openshift-install }')
      .replace(
        'imageSet:',
        'installConfig: install-config.yaml\npullSecret: { file: pull-secret.json }\nimageSet:',
      ),
  );
  const run = inFactory(factory);
  const precached = await run('precache', '--insecure', '--quiet');
  expect([precached.status, precached.stderr]).toEqual([0, '']);
  const iso = factory.at('out', 'bip', 'bip.iso');
  const build = async (...flags: string[]): Promise<Buffer> => {
    const built = await run('iso', 'bip', ...flags);
    expect([built.status, built.stderr]).toEqual([0, '']);
    return readFileSync(iso);
  };
  const runs = (): number => readFileSync(factory.at('runs'), 'utf8').split('\n').length - 1;

  const first = await build();
  expect((await build()).equals(first)).toBe(true);
  expect(runs()).toBe(1);
  const unpatched = factory.at('out', 'bip', 'unpatched.ign');
  expect(statSync(unpatched).mode & 0o777).toBe(0o600);
  expect(readFileSync(unpatched).equals(readFileSync(factory.at('made-1.ign')))).toBe(true);
  const renewed = await build('--renew');
  expect(runs()).toBe(2);
  expect(renewed.equals(first)).toBe(false);
  expect((await build()).equals(renewed)).toBe(true);
  expect(runs()).toBe(2);
});

test('a site that is none is told before anything is hashed', async () => {
  const factory = await makeFactory();
  const cwd = factory.folder;
  expect((await runEdgefab(['precache', '--insecure', '--quiet'], { cwd })).status).toBe(0);
  const run = await runEdgefab(['cache', 'verify', 'cache', '--for', 'bop'], { cwd });
  expect(run).toMatchObject({ status: 2, stdout: '' });
  expect(run.stderr).toContain('has no site "bop": it has bip');
});

test('doctor finds nothing wrong with a site that gets its images from a registry', async () => {
  const factory = await makeFactory({ cacheMode: 'registry' });
  const run = await runEdgefab(['doctor'], { cwd: factory.folder });
  expect(run.stdout).not.toContain('registry does not exist');
  expect(run.stdout).not.toContain('MISSING');
  expect(run.status).toBe(0);
});
