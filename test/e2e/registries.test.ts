import { chmodSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { DEMO_REPOSITORIES, startDemoRegistry } from '../../src/factory/demo/made-release.ts';
import { startForwardProxy } from '../support/forward-proxy.ts';
import { runEdgefab, runEdgefabJson } from '../support/run-edgefab.ts';
import { tempFolder } from '../support/temp-folder.ts';

/** A registry with Basic access, and an image set that asks for its release under a name nobody can find. */
async function world() {
  const folder = tempFolder();
  const { server, release } = await startDemoRegistry(join(folder, 'registry'), {
    auth: { kind: 'basic', username: 'u', password: 'p' },
  });
  onTestFinished(() => server.close());
  const set = join(folder, 'imageset.yaml');
  const image = `registry.invalid:5000/${DEMO_REPOSITORIES.release}@${release}`;
  writeFileSync(
    set,
    `apiVersion: mirror.openshift.io/v2alpha1\nkind: ImageSetConfiguration\nmirror:\n  additionalImages:\n    - name: ${image}\n`,
  );
  const put = (name: string, text: string): string => {
    writeFileSync(join(folder, name), text);
    return join(folder, name);
  };
  return { folder, host: server.host, set, put, cache: join(folder, 'cache') };
}
const basic = { auth: Buffer.from('u:p').toString('base64') };

test('precache takes everything from a mirror, with the mirror’s credentials from a helper', async () => {
  const { folder, host, set, put, cache } = await world();
  const conf = put(
    'registries.conf',
    `[[registry]]\nlocation = "registry.invalid:5000"\n[[registry.mirror]]\nlocation = "${host}"\ninsecure = true\n`,
  );
  const authfile = put('auth.json', JSON.stringify({ auths: {}, credHelpers: { [host]: 'edgefab-test' } }));
  chmodSync(
    put('docker-credential-edgefab-test', `#!/bin/sh\necho '{"Username":"u","Secret":"p"}'\n`),
    0o755,
  );
  const run = await runEdgefab(
    ['precache', set, '-f', cache, '--registries-conf', conf, '--authfile', authfile],
    { env: { PATH: `${folder}:${process.env.PATH}` } },
  );
  expect(run).toMatchObject({ status: 0 });
  // What is kept is named as it was asked for, not as the mirror has it.
  expect(run.stdout + run.stderr).not.toContain('"p"');
  expect((await runEdgefab(['cache', 'verify', cache])).status).toBe(0);
}, 60_000);

test('precache goes through the proxy of the environment, and ends when it is done', async () => {
  const { host, set, put, cache } = await world();
  const authfile = put('auth.json', JSON.stringify({ auths: { 'registry.invalid:5000': basic } }));
  const proxy = await startForwardProxy({
    routes: { 'registry.invalid:5000': host },
    credentials: 'who:what',
  });
  const url = `http://who:what@${proxy.host}`;
  const args = ['precache', set, '-f', cache, '--insecure', '--authfile', authfile];
  const run = await runEdgefab(args, { env: { HTTP_PROXY: url, HTTPS_PROXY: url } });
  expect(run).toMatchObject({ status: 0 });
  expect(proxy.forwarded.length).toBeGreaterThan(5);
  expect((await runEdgefab(['cache', 'verify', cache])).status).toBe(0);
}, 60_000);

test.each([
  ['blocked', 'blocked = true\n', 4, 'REGISTRY_BLOCKED'],
  ['wrong', 'insecure = "yes"\n', 3, 'REGISTRIES_CONF_INVALID'],
])('a registries.conf in which the registry is %s', async (_, line, status, code) => {
  const { set, put, cache } = await world();
  const conf = put('registries.conf', `[[registry]]\nlocation = "registry.invalid:5000"\n${line}`);
  const run = await runEdgefabJson(['precache', set, '-f', cache], {
    env: { CONTAINERS_REGISTRIES_CONF: conf },
  });
  expect(run).toMatchObject({ status, document: { error: { code, place: { file: conf } } } });
});
