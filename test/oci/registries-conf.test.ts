import { mkdirSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { loadRegistries } from '../../src/oci/load-registries.ts';
import { formatReference, parseReference } from '../../src/oci/reference.ts';
import { endpointsOf, parseRegistriesConf } from '../../src/oci/registries-conf.ts';
import { tempFolder } from '../support/temp-folder.ts';

const DIGEST = `sha256:${'a'.repeat(64)}`;

/** The places for an image, as `[!]NAME`: `!` where it is insecure. */
function places(toml: string, image: string): string[] {
  const reference = parseReference(image);
  const entries = parseRegistriesConf(toml, 'registries.conf');
  return endpointsOf(reference, reference.digest !== undefined, entries).map(
    ({ reference: at, insecure }) => `${insecure ? '!' : ''}${formatReference(at)}`,
  );
}

const table = (text: string): string => `[[registry]]\n${text}\n`;
const mirrored = (rest = '', mirror = ''): string =>
  `${table(`prefix = "quay.io/ocp"\nlocation = "quay.io/ocp"\n${rest}`)}
[[registry.mirror]]
location = "mirror.local:5000/ocp"
insecure = true
${mirror}
[[registry.mirror]]
location = "second.local/x/"
`;

describe('where an image is asked for', () => {
  test.each<[string, string, string, string[]]>([
    ['no table', '', 'quay.io/a:v1', ['quay.io/a:v1']],
    ['a table of another host', table('location = "ghcr.io"'), 'quay.io/a:v1', ['quay.io/a:v1']],
    ['a host', table('location = "quay.io"\ninsecure = true'), 'quay.io/a:v1', ['!quay.io/a:v1']],
    ['a host without its port', table('location = "h.io"\ninsecure = true'), 'h.io:5000/a', ['h.io:5000/a']],
    [
      'a name that begins the same',
      table('location = "quay.io/org"\ninsecure = true'),
      'quay.io/organ/a',
      ['quay.io/organ/a'],
    ],
    [
      'another location',
      table('prefix = "e.com/foo"\nlocation = "in.net:1/bar"'),
      'e.com/foo/my:v1',
      ['in.net:1/bar/my:v1'],
    ],
    [
      'a repository as prefix',
      table('prefix = "e.com/foo"\nlocation = "in.net/bar"'),
      `e.com/foo@${DIGEST}`,
      [`in.net/bar@${DIGEST}`],
    ],
    [
      'an image as prefix',
      table(`prefix = "e.com/foo@${DIGEST}"\nlocation = "in.net/bar@${DIGEST}"`),
      `e.com/foo@${DIGEST}`,
      [`in.net/bar@${DIGEST}`],
    ],
    [
      'the longest prefix',
      table('prefix = "e.com"\nlocation = "short.net"') +
        table('prefix = "e.com/foo"\nlocation = "long.net"'),
      'e.com/foo/a',
      ['long.net/a'],
    ],
    ['subdomains', table('prefix = "*.e.com"\ninsecure = true'), 'a.b.e.com/x:v1', ['!a.b.e.com/x:v1']],
    ['not the domain itself', table('prefix = "*.e.com"\ninsecure = true'), 'e.com/x:v1', ['e.com/x:v1']],
    ['subdomains moved', table('prefix = "*.e.com"\nlocation = "m.net/e"'), 'a.e.com/x:v1', ['m.net/e/x:v1']],
    [
      'Docker Hub',
      table('prefix = "docker.io/library"\nlocation = "m.net/hub"'),
      'docker.io/busybox',
      ['m.net/hub/busybox'],
    ],
    [
      'mirrors by digest',
      mirrored(),
      `quay.io/ocp/a@${DIGEST}`,
      [`!mirror.local:5000/ocp/a@${DIGEST}`, `second.local/x/a@${DIGEST}`, `quay.io/ocp/a@${DIGEST}`],
    ],
    [
      'mirrors by tag',
      mirrored(),
      'quay.io/ocp/a:v1',
      ['!mirror.local:5000/ocp/a:v1', 'second.local/x/a:v1', 'quay.io/ocp/a:v1'],
    ],
    [
      'mirror-by-digest-only, a tag',
      mirrored('mirror-by-digest-only = true'),
      'quay.io/ocp/a:v1',
      ['quay.io/ocp/a:v1'],
    ],
    [
      'mirror-by-digest-only, both',
      mirrored('mirror-by-digest-only = true'),
      `quay.io/ocp/a:v1@${DIGEST}`,
      [
        `!mirror.local:5000/ocp/a:v1@${DIGEST}`,
        `second.local/x/a:v1@${DIGEST}`,
        `quay.io/ocp/a:v1@${DIGEST}`,
      ],
    ],
    [
      'digest-only, a tag',
      mirrored('', 'pull-from-mirror = "digest-only"'),
      'quay.io/ocp/a:v1',
      ['second.local/x/a:v1', 'quay.io/ocp/a:v1'],
    ],
    [
      'tag-only, a digest',
      mirrored('', 'pull-from-mirror = "tag-only"'),
      `quay.io/ocp/a@${DIGEST}`,
      [`second.local/x/a@${DIGEST}`, `quay.io/ocp/a@${DIGEST}`],
    ],
    [
      'tag-only, a tag',
      mirrored('', 'pull-from-mirror = "tag-only"'),
      'quay.io/ocp/a:v1',
      ['!mirror.local:5000/ocp/a:v1', 'second.local/x/a:v1', 'quay.io/ocp/a:v1'],
    ],
    [
      'keys of short names',
      `unqualified-search-registries = ["e.com"]\nshort-name-mode = "enforcing"\n[aliases]\n"a" = "b.c/d"`,
      'quay.io/a',
      ['quay.io/a'],
    ],
  ])('%s', (_, toml, image, want) => {
    expect(places(toml, image)).toEqual(want);
  });

  test('a blocked registry has its own error', () => {
    const toml = table('location = "quay.io/bad"\nblocked = true');
    expect(() => places(toml, 'quay.io/bad/a:v1')).toThrow(
      expect.objectContaining({
        code: 'REGISTRY_BLOCKED',
        exitCode: 4,
        message:
          'quay.io/bad/a:v1 is blocked on this machine: registries.conf has blocked = true for quay.io/bad',
      }),
    );
    expect(places(toml, 'quay.io/good/a:v1')).toEqual(['quay.io/good/a:v1']);
  });
});

describe('refused, naming the place', () => {
  test.each<[string, string, RegExp]>([
    ['no TOML', '[[registry]\n', /registries\.conf:1:\d+/],
    ['version 1', '[registries.search]\nregistries = ["a.b"]', /registries: is version 1/],
    ['a wrong type', table('location = "a.b"\ninsecure = "yes"'), /registry\.0\.insecure/],
    ['neither prefix nor location', table('insecure = true'), /registry\[0\] has neither/],
    ['no location', table('prefix = "a.b/c"'), /has no location/],
    ['a URL', table('location = "https://a.b"'), /registry\[0\]\.location "https:\/\/a\.b" is a URL/],
    [
      'a wildcard in the middle',
      table('prefix = "a.*.b"\nlocation = "c.d"\n[[registry]]\nprefix = "*.b/c"'),
      /\*\.HOST/,
    ],
    [
      'a mirror without a place',
      `${table('location = "a.b"')}[[registry.mirror]]\ninsecure = true`,
      /mirror\.0\.location/,
    ],
    ['pull-from-mirror of no kind', mirrored('', 'pull-from-mirror = "sometimes"'), /pull-from-mirror/],
    [
      'pull-from-mirror on the registry',
      table('location = "a.b"\npull-from-mirror = "all"'),
      /belongs to \[\[registry\.mirror/,
    ],
    [
      'both ways at once',
      mirrored('mirror-by-digest-only = true', 'pull-from-mirror = "all"'),
      /cannot have pull-from-mirror/,
    ],
    [
      'two that differ',
      table('location = "a.b"') + table('location = "a.b"\nblocked = true'),
      /registry\[1\] says something else/,
    ],
  ])('%s', (_, toml, message) => {
    expect(() => parseRegistriesConf(toml, 'registries.conf')).toThrow(
      expect.objectContaining({
        code: 'REGISTRIES_CONF_INVALID',
        exitCode: 3,
        message: expect.stringMatching(message),
        place: expect.objectContaining({ file: 'registries.conf' }),
      }),
    );
  });

  test('a location that makes no name', () => {
    expect(() => places(table('prefix = "a.b"\nlocation = "nohost"'), 'a.b/c:v1')).toThrow(
      expect.objectContaining({
        code: 'REGISTRIES_CONF_INVALID',
        message: expect.stringContaining('nohost'),
      }),
    );
  });
});

describe('which files count', () => {
  const at = (folder: string, files: Readonly<Record<string, string>>): void => {
    for (const [name, location] of Object.entries(files)) {
      mkdirSync(dirname(join(folder, name)), { recursive: true });
      writeFileSync(join(folder, name), table(`prefix = "e.com"\nlocation = "${location}"`));
    }
  };
  const MAIN = 'containers/registries.conf';
  const DROP = 'containers/registries.conf.d';
  test.each<[string, Record<string, string>, string | undefined]>([
    ['none', {}, undefined],
    ['the system’s', { [`etc/${MAIN}`]: 'system' }, 'system'],
    ['the user’s before it', { [`etc/${MAIN}`]: 'system', [`home/.config/${MAIN}`]: 'user' }, 'user'],
    ['a drop-in over the main file', { [`etc/${MAIN}`]: 'system', [`etc/${DROP}/10.conf`]: 'ten' }, 'ten'],
    ['the last of the drop-ins', { [`etc/${DROP}/10.conf`]: 'ten', [`etc/${DROP}/09.conf`]: 'nine' }, 'ten'],
    [
      'the user’s drop-ins after the system’s',
      { [`etc/${DROP}/99.conf`]: 'system', [`home/.config/${DROP}/01.conf`]: 'user' },
      'user',
    ],
    [
      'no system drop-ins beside the user’s file',
      { [`etc/${DROP}/99.conf`]: 'system', [`home/.config/${MAIN}`]: 'user' },
      'user',
    ],
    ['only names in .conf', { [`etc/${DROP}/99.conf.bak`]: 'backup' }, undefined],
  ])('%s', async (_, files, want) => {
    const folder = tempFolder();
    at(folder, files);
    const host = { env: {}, homeDir: join(folder, 'home') };
    const entries = await loadRegistries({ etc: join(folder, 'etc') }, host);
    expect(entries.map(({ location }) => location)).toEqual(want === undefined ? [] : [want]);
  });

  test('a named one, by flag before the variable, and the drop-ins with it', async () => {
    const folder = tempFolder();
    at(folder, {
      [`etc/${MAIN}`]: 'system',
      [`home/.config/${MAIN}`]: 'user',
      'flag.conf': 'flag',
      'env.conf': 'env',
    });
    const host = {
      env: { CONTAINERS_REGISTRIES_CONF: join(folder, 'env.conf') },
      homeDir: join(folder, 'home'),
    };
    const etc = join(folder, 'etc');
    const locations = async (file?: string): Promise<string[]> =>
      (await loadRegistries({ etc, ...(file === undefined ? {} : { file }) }, host)).map(
        ({ location }) => location,
      );
    expect(await locations()).toEqual(['env']);
    expect(await locations(join(folder, 'flag.conf'))).toEqual(['flag']);
    writeFileSync(join(folder, 'other.conf'), table('location = "other.com"'));
    at(folder, { [`etc/${DROP}/x.conf`]: 'dropped' });
    expect(await locations(join(folder, 'other.conf'))).toEqual(['other.com', 'dropped']);
    await expect(locations(join(folder, 'none.conf'))).rejects.toMatchObject({
      code: 'FILE_UNREADABLE',
      message: expect.stringContaining('named by --registries-conf, does not exist'),
    });
    await expect(
      loadRegistries({ etc }, { ...host, env: { CONTAINERS_REGISTRIES_CONF: join(folder, 'none.conf') } }),
    ).rejects.toMatchObject({ message: expect.stringContaining('named by CONTAINERS_REGISTRIES_CONF') });
  });
});
