import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { inspect } from 'node:util';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { realHost } from '../../src/host/real-host.ts';
import { loadCredentials, parsePullSecret } from '../../src/oci/credentials.ts';
import { parseReference } from '../../src/oci/reference.ts';

const auth = (username: string, password = 'secret'): { auth: string } => ({
  auth: Buffer.from(`${username}:${password}`).toString('base64'),
});
const userFor = async (auths: object, image: string): Promise<string | undefined> => {
  const found = await parsePullSecret(JSON.stringify({ auths }), 'pull-secret', realHost).find(
    parseReference(image),
  );
  return found !== undefined && 'username' in found ? found.username : undefined;
};

describe('which entry counts', () => {
  const quay = {
    'quay.io': auth('host'),
    'quay.io/org': auth('org'),
    'quay.io/org/app': auth('app'),
    'quay.io/other/': auth('slash'),
    'localhost:5000': auth('port'),
  };
  test.each([
    ['the repository', 'quay.io/org/app:v1', 'app'],
    ['a namespace under the repository', 'quay.io/org/app/x', 'app'],
    ['the namespace', 'quay.io/org/apple', 'org'],
    ['the host', 'quay.io/organic/app', 'host'],
    ['a key with a slash at its end', 'quay.io/other/app', 'slash'],
    ['host and port', 'localhost:5000/app', 'port'],
    ['another port', 'localhost:5001/app', undefined],
    ['a host that begins the same', 'quay.io.evil.com/org/app', undefined],
    ['a subdomain', 'cdn.quay.io/org/app', undefined],
  ])('%s: %s', async (_, image, want) => {
    expect(await userFor(quay, image)).toBe(want);
  });

  test.each([
    ['https://index.docker.io/v1/', 'docker.io/library/busybox', 'u'],
    ['index.docker.io', 'docker.io/org/app', 'u'],
    ['docker.io/org', 'docker.io/org/app', 'u'],
    ['https://quay.io/v1/', 'quay.io/org/app', 'u'],
    ['http://quay.io', 'quay.io/org/app', 'u'],
    ['https://quay.io', 'quay.io.evil.com/org/app', undefined],
  ])('the key %s serves %s', async (key, image, want) => {
    expect(await userFor({ [key]: auth('u') }, image)).toBe(want);
  });

  test('an exact key before an old URL, in any order', async () => {
    const [exact, old] = [auth('exact'), auth('old')];
    expect(await userFor({ 'https://quay.io/v1/': old, 'quay.io': exact }, 'quay.io/a')).toBe('exact');
    expect(await userFor({ 'quay.io': exact, 'https://quay.io/v1/': old }, 'quay.io/a')).toBe('exact');
  });

  test('an empty entry is passed over', async () => {
    expect(await userFor({ 'quay.io/org': {}, 'quay.io': auth('host') }, 'quay.io/org/app')).toBe('host');
  });
});

describe('the forms of an entry', () => {
  test.each([
    ['auth', auth('user', 'pass:word'), { username: 'user', password: 'pass:word' }],
    ['an umlaut', auth('üser', 'wört'), { username: 'üser', password: 'wört' }],
    ['an empty password', auth('user', ''), { username: 'user', password: '' }],
    ['NUL padding', auth('user', 'pass\0\0'), { username: 'user', password: 'pass' }],
    ['fields of their own', { username: 'u', password: 'p' }, { username: 'u', password: 'p' }],
    [
      'an identity token before all',
      { ...auth('00000000-0000'), identitytoken: 'tok' },
      { identityToken: 'tok' },
    ],
    ['an extra field', { ...auth('user'), email: 'a@b.c' }, { username: 'user', password: 'secret' }],
  ])('%s', async (_, entry, want) => {
    const source = parsePullSecret(JSON.stringify({ auths: { 'quay.io': entry } }), 'where.json', realHost);
    expect(await source.find(parseReference('quay.io/a'))).toEqual({ ...want, from: 'where.json' });
  });
});

describe('refused, naming file and field, showing no secret', () => {
  const SECRET = 'hunter2-hunter2';
  const encoded = Buffer.from(`no-colon-${SECRET}`).toString('base64');
  test.each([
    ['no JSON', `{"auths": {"quay.io": {"auth": ${SECRET}}}}`, 'the file'],
    ['cut JSON', `{"auths": {"quay.io": {"auth": "${SECRET}`, 'the file'],
    ['a list', `["${SECRET}"]`, 'the file'],
    ['no auths', `{"${SECRET}": 1}`, 'auths'],
    ['auths as a text', `{"auths": "${SECRET}"}`, 'auths'],
    ['an entry as a text', `{"auths": {"quay.io": "${SECRET}"}}`, 'auths["quay.io"]'],
    ['auth as a number', `{"auths": {"quay.io": {"auth": 1}}}`, 'auths["quay.io"].auth'],
    ['auth that is not base64', `{"auths": {"quay.io": {"auth": "!${SECRET}"}}}`, 'auths["quay.io"].auth'],
    ['auth without a colon', `{"auths": {"quay.io": {"auth": "${encoded}"}}}`, 'auths["quay.io"].auth'],
    [
      'auth without a user',
      `{"auths": {"quay.io": ${JSON.stringify(auth('', SECRET))}}}`,
      'auths["quay.io"].auth',
    ],
    ['auth that is not text', '{"auths": {"quay.io": {"auth": "/////w=="}}}', 'auths["quay.io"].auth'],
    ['a token as a number', '{"auths": {"a.b": {"identitytoken": 5}}}', 'auths["a.b"].identitytoken'],
    ['helpers as a text', `{"auths": {}, "credHelpers": "${SECRET}"}`, 'credHelpers'],
  ])('%s', (_, text, field) => {
    const error = (() => {
      try {
        return parsePullSecret(text, '/etc/pull.json', realHost);
      } catch (caught) {
        return caught;
      }
    })();
    expect(error).toMatchObject({ code: 'AUTHFILE_INVALID', place: { file: '/etc/pull.json', field } });
    expect(error).toHaveProperty('message', expect.stringContaining(field));
    const shown = inspect(error, { depth: Number.POSITIVE_INFINITY, showHidden: true });
    expect(shown).not.toContain('hunter2');
    expect(shown).not.toContain(encoded);
  });
});

describe('loadCredentials', () => {
  let folder: string;
  const image = parseReference('quay.io/org/app');
  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), 'edgefab-auth-'));
  });
  afterEach(() => rm(folder, { recursive: true }));
  const put = async (name: string, content: object | string): Promise<string> => {
    const path = join(folder, name);
    await mkdir(dirname(path), { recursive: true });
    await writeFile(path, typeof content === 'string' ? content : JSON.stringify(content));
    return path;
  };
  const file = (username: string): object => ({ auths: { 'quay.io': auth(username) } });
  const ORDER = [
    ['run/containers/auth.json', 'run'],
    ['home/.config/containers/auth.json', 'config'],
    ['home/.docker/config.json', 'docker'],
  ] as const;
  const host = (env: Record<string, string> = {}) => ({ ...realHost, homeDir: join(folder, 'home'), env });

  test('looks in the places of containers-auth.json(5), in order', async () => {
    const env = { XDG_RUNTIME_DIR: join(folder, 'run') };
    expect(await (await loadCredentials({}, host(env))).find(image)).toBeUndefined();
    for (const [name, user] of ORDER.toReversed()) {
      const path = await put(name, file(user));
      const source = await loadCredentials({}, host(env));
      expect(await source.find(image)).toMatchObject({ username: user, from: path });
      expect(source.looked).toEqual(ORDER.map(([place]) => join(folder, place)));
    }
  });

  test('goes on to the next file for a registry the first does not know', async () => {
    await put('home/.config/containers/auth.json', { auths: { 'ghcr.io': auth('other') } });
    await put('home/.docker/config.json', file('docker'));
    expect(await (await loadCredentials({}, host())).find(image)).toMatchObject({ username: 'docker' });
  });

  test('a named file is the only one, --authfile before the variable', async () => {
    await put('home/.docker/config.json', file('docker'));
    const named = await put('named.json', file('named'));
    const other = await put('other.json', { auths: {} });
    const env = { REGISTRY_AUTH_FILE: other };
    const byFlag = await loadCredentials({ authfile: named }, host(env));
    expect(await byFlag.find(image)).toMatchObject({ username: 'named' });
    expect(await (await loadCredentials({}, host(env))).find(image)).toBeUndefined();
    const xdg = { XDG_CONFIG_HOME: join(folder, 'xdg'), DOCKER_CONFIG: join(folder, 'dock') };
    await put('dock/config.json', file('moved'));
    expect(await (await loadCredentials({}, host(xdg))).find(image)).toMatchObject({ username: 'moved' });
  });

  test.each([
    ['is not there, by flag', 'none.json', /none\.json, named by --authfile, does not exist/],
    ['is below a file', 'a-file/auth.json', /does not exist/],
    ['is a folder', '.', /cannot be read/],
  ])('a named file that %s', async (_, name, message) => {
    await put('a-file', 'x');
    await expect(loadCredentials({ authfile: join(folder, name) }, host())).rejects.toMatchObject({
      code: 'FILE_UNREADABLE',
      message: expect.stringMatching(message),
    });
  });

  test('a named file that is not there, by variable, or is far too large', async () => {
    const env = { REGISTRY_AUTH_FILE: join(folder, 'none.json') };
    await expect(loadCredentials({}, host(env))).rejects.toMatchObject({
      message: expect.stringContaining('named by REGISTRY_AUTH_FILE'),
    });
    const authfile = await put('large.json', ' '.repeat(1024 * 1024 + 1));
    await expect(loadCredentials({ authfile }, host())).rejects.toMatchObject({ code: 'AUTHFILE_INVALID' });
    await put('home/.docker/config.json', '{"credsStore": "desktop"}');
    expect(await (await loadCredentials({}, host())).find(image)).toBeUndefined();
  });
});
