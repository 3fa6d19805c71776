import { chmodSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { inspect } from 'node:util';
import { describe, expect, test } from 'vitest';
import { realHost } from '../../src/host/real-host.ts';
import { type CredentialSource, parsePullSecret } from '../../src/oci/credentials.ts';
import { parseReference } from '../../src/oci/reference.ts';
import { tempFolder } from '../support/temp-folder.ts';

const SECRET = 'hunter2-hunter2';

/** A machine on whose PATH a helper of each name runs its script; `asked` lists what they read on stdin. */
function machine(scripts: Readonly<Record<string, string>>) {
  const folder = tempFolder();
  for (const [name, script] of Object.entries(scripts)) {
    const path = join(folder, `docker-credential-${name}`);
    writeFileSync(path, `#!/bin/sh\nread server\necho "${name} $1 $server" >> ${folder}/asked\n${script}\n`);
    chmodSync(path, 0o755);
  }
  const run: typeof realHost.run = (program, args, options) =>
    realHost.run(program, args, { ...options, env: { PATH: `${folder}:${process.env.PATH}` } });
  const asked = (): string[] => readFileSync(join(folder, 'asked'), 'utf8').trim().split('\n');
  return { run, asked };
}

const answer = (username: string, secret = SECRET): string =>
  `echo '${JSON.stringify({ ServerURL: 'x', Username: username, Secret: secret })}'`;
const auth = { auth: Buffer.from('plain:text').toString('base64') };
const open = (file: object, host: Pick<typeof realHost, 'run'>): CredentialSource =>
  parsePullSecret(JSON.stringify({ auths: {}, ...file }), 'config.json', host);

describe('credential helpers', () => {
  test('are asked once a registry, for what the file names it by', async () => {
    const host = machine({ keys: answer('kept'), desk: answer('<token>') });
    const source = open(
      {
        auths: { 'https://index.docker.io/v1/': {}, 'quay.io/mine': auth, 'quay.io': auth },
        credHelpers: { 'quay.io': 'keys' },
        credsStore: 'desk',
      },
      host,
    );
    const find = (name: string) => source.find(parseReference(name));
    const kept = { username: 'kept', password: SECRET, from: 'docker-credential-keys (config.json)' };
    expect(await Promise.all([find('quay.io/a:v1'), find('quay.io/b:v1')])).toEqual([kept, kept]);
    expect(await find('quay.io/c:v1')).toEqual(kept);
    // An entry of its own is nearer than the helper of the whole registry.
    expect(await find('quay.io/mine/a:v1')).toMatchObject({ username: 'plain' });
    expect(await find('docker.io/library/busybox')).toMatchObject({ identityToken: SECRET });
    expect(await find('ghcr.io/a/b')).toBeUndefined();
    expect(host.asked()).toEqual(['keys get quay.io', 'desk get https://index.docker.io/v1/']);
  });

  test('one that keeps nothing is no failure', async () => {
    const host = machine({ keys: 'echo "credentials not found in native keychain"; exit 1' });
    const source = open({ credHelpers: { 'quay.io': 'keys' } }, host);
    expect(await source.find(parseReference('quay.io/a'))).toBeUndefined();
  });

  test.each<[string, string, RegExp]>([
    ['fails', `echo ${SECRET}; echo ${SECRET} >&2; exit 3`, /ended with status 3/],
    ['is killed', `echo ${SECRET}; kill -9 $$`, /ended by a signal/],
    ['answers no JSON', `echo ${SECRET}`, /gave no user name and secret/],
    ['answers without a secret', answer('u', ''), /gave no user name and secret/],
    ['answers a list', `echo '["${SECRET}"]'`, /gave no user name and secret/],
  ])('one that %s', async (_, script, message) => {
    const source = open({ credHelpers: { 'quay.io': 'keys' } }, machine({ keys: script }));
    const error = await source.find(parseReference('quay.io/a')).catch((caught: unknown) => caught);
    expect(error).toMatchObject({
      code: 'TOOL_FAILED',
      message: expect.stringMatching(message),
      suggestions: ['Try it by hand: echo quay.io | docker-credential-keys get'],
    });
    expect(inspect(error, { depth: Number.POSITIVE_INFINITY, showHidden: true })).not.toContain(SECRET);
  });

  test('one that is not installed', async () => {
    const source = open({ credHelpers: { 'quay.io': 'no-such-helper' } }, realHost);
    await expect(source.find(parseReference('quay.io/a'))).rejects.toMatchObject({
      code: 'TOOL_MISSING',
      message:
        'config.json leaves the credentials for quay.io to the program docker-credential-no-such-helper, which is not on PATH',
      suggestions: expect.arrayContaining([expect.stringContaining('--authfile')]),
    });
  });

  test.each(['../../bin/sh', 'a b', '-x', ''])('a name that is no program’s: "%s"', (name) => {
    const opening = () => open({ credHelpers: { 'quay.io': name } }, realHost);
    if (name === '') expect(opening).not.toThrow();
    else expect(opening).toThrow(expect.objectContaining({ code: 'AUTHFILE_INVALID' }));
  });
});
