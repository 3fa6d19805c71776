import { describe, expect, it } from 'vitest';
import { stringify } from 'yaml';
import { type CatalogImage, readCatalog } from '../../../../src/mirror/resolve/catalog/read-catalog.ts';
import { configOf, imageOf, LABEL, layerOf, type Member, packings, tarOf } from './index-image.ts';
import { documentsOf, type MadeUpPackage } from './made-up-catalog.ts';

const WHERE = 'registry.example/index:v4.18';

const foo: MadeUpPackage = {
  channels: { stable: ['foo.v1.0.0', { name: 'foo.v1.1.0', replaces: 'foo.v1.0.0' }] },
};
const bar: MadeUpPackage = { channels: { alpha: ['bar.v0.1.0'] } };

function json(name: string, made: MadeUpPackage): string {
  return documentsOf(name, made)
    .map((document) => JSON.stringify(document, null, 4))
    .join('\n');
}

function yaml(name: string, made: MadeUpPackage): string {
  return documentsOf(name, made)
    .map((document) => `---\n${stringify(document)}`)
    .join('');
}

async function namesOf(image: CatalogImage): Promise<string[]> {
  return [...(await readCatalog(image, WHERE)).packages.keys()];
}

describe('readCatalog', () => {
  it.each(Object.keys(packings))('reads JSON and YAML from %s layers', async (packing) => {
    const members = {
      'configs/foo/catalog.json': json('foo', foo),
      'configs/bar/index.yaml': yaml('bar', bar),
    };
    const catalog = await readCatalog(await imageOf([members], packings[packing], 100), WHERE);
    expect([...catalog.packages.keys()]).toEqual(['bar', 'foo']);
    expect(catalog.packages.get('foo')).toEqual({
      name: 'foo',
      defaultChannel: 'stable',
      channels: [
        { name: 'stable', entries: [{ name: 'foo.v1.0.0' }, { name: 'foo.v1.1.0', replaces: 'foo.v1.0.0' }] },
      ],
      bundles: ['1.0.0', '1.1.0'].map((version) => ({
        name: `foo.v${version}`,
        image: `quay.io/edge/foo-bundle:foo.v${version}`,
        version,
        relatedImages: [
          { name: 'bundle', image: `quay.io/edge/foo-bundle:foo.v${version}` },
          { name: 'manager', image: `quay.io/edge/foo:foo.v${version}` },
          { name: 'proxy', image: 'quay.io/edge/kube-rbac-proxy:1' },
        ],
        provides: [],
        requires: [],
        requiredPackages: [],
      })),
    });
  });

  it('joins a package spread over files in any order, and drops what is bulky', async () => {
    const [head, channel, ...bundles] = documentsOf('foo', {
      ...foo,
      properties: {
        'foo.v1.0.0': [
          { type: 'olm.bundle.object', value: { data: 'QUJD'.repeat(100_000) } },
          {
            type: 'olm.csv.metadata',
            value: { displayName: 'Foo of the edge', annotations: { x: 'y'.repeat(9000) } },
          },
          { type: 'olm.gvk', value: { group: 'foo', version: 'v1', kind: 'Foo' } },
          { type: 'olm.gvk.required', value: { group: 'bar', version: 'v1', kind: 'Bar' } },
          { type: 'olm.package.required', value: { packageName: 'bar', versionRange: '<2.0.0' } },
        ],
      },
    });
    const members = {
      'configs/foo/a-bundles.json': bundles.map((bundle) => JSON.stringify(bundle)).join(''),
      'configs/foo/bundle.yaml': `${stringify(channel)}---\n# nothing\n---\n${stringify({ schema: 'olm.deprecations', package: 'foo' })}`,
      'configs/foo/package': JSON.stringify(head),
      'etc/passwd': 'root',
    };
    const catalog = await readCatalog(await imageOf([members]), WHERE);
    expect(catalog.packages.get('foo')?.bundles[0]).toMatchObject({
      displayName: 'Foo of the edge',
      provides: ['foo/v1/Foo'],
      requires: ['bar/v1/Bar'],
      requiredPackages: [{ name: 'bar', range: '<2.0.0' }],
    });
  });

  it('takes a YAML document with a long base64 line', async () => {
    const document = {
      ...bar,
      properties: {
        'bar.v0.1.0': [{ type: 'olm.bundle.object', value: { data: 'QUJD'.repeat(3_000_000) } }],
      },
    };
    const catalog = await readCatalog(await imageOf([{ 'configs/bar.yaml': yaml('bar', document) }]), WHERE);
    expect(catalog.packages.get('bar')?.bundles).toHaveLength(1);
  });

  const both = { 'configs/foo/catalog.json': json('foo', foo), 'configs/bar/catalog.json': json('bar', bar) };
  const none = '';
  it.each<[string, Record<string, Member>[], string[]]>([
    [
      'a later layer replaces a file',
      [both, { 'configs/bar/catalog.json': json('baz', bar) }],
      ['baz', 'foo'],
    ],
    ['a whiteout removes a file', [both, { 'configs/bar/.wh.catalog.json': none }], ['foo']],
    ['a whiteout removes a folder', [both, { './configs/.wh.bar': none }], ['foo']],
    [
      'a whiteout removes the whole catalog',
      [both, { '.wh.configs': none, 'configs/x.json': json('x', bar) }],
      ['x'],
    ],
    [
      'an opaque folder is emptied, new files stay',
      [both, { 'configs/x.json': json('x', bar), 'configs/.wh..wh..opq': none }],
      ['x'],
    ],
    ['an opaque folder inside is emptied', [both, { 'configs/bar/.wh..wh..opq': none }], ['foo']],
    ['an opaque root', [both, { 'configs/x.json': json('x', bar), '.wh..wh..opq': none }], ['x']],
    ['a whiteout does not hide its own layer', [{ 'configs/.wh.foo': none, ...both }], ['bar', 'foo']],
    ['a whiteout elsewhere', [both, { 'other/.wh.configs': none, 'configs2/.wh.foo': none }], ['bar', 'foo']],
    ['a file takes the place of a folder', [both, { 'configs/bar': json('baz', bar) }], ['baz', 'foo']],
    ['a folder takes the place of a file', [{ 'configs/bar': '{' }, both], ['bar', 'foo']],
    ['absolute names are of the root', [{ '/configs/foo.json': json('foo', foo) }], ['foo']],
    ['a broken file that is replaced', [{ ...both, 'configs/bar/catalog.json': '{]' }, both], ['bar', 'foo']],
    [
      'a broken file that is ignored',
      [{ ...both, 'configs/bad/x.json': '{]', 'configs/.indexignore': 'bad' }],
      ['bar', 'foo'],
    ],
    ['an ignore file in a folder', [{ ...both, 'configs/bar/.indexignore': '*' }], ['foo']],
    ['a link elsewhere', [{ ...both, 'usr/lib': { type: 'symlink', linkname: '/etc' } }], ['bar', 'foo']],
    ['a folder of the name', [{ 'configs/': { type: 'directory' }, ...both }], ['bar', 'foo']],
  ])('%s', async (_, layers, expected) => {
    expect(await namesOf(await imageOf(layers))).toEqual(expected);
  });

  const bundle = documentsOf('bar', bar)[2] as Record<string, unknown>;
  it.each<[string, Record<string, Member>, string]>([
    ['no file', { 'etc/x': '' }, 'holds no package below /configs'],
    [
      'broken JSON',
      { 'configs/x.json': '{"schema":"olm.package","name":"x"} {"schema":}' },
      'file configs/x.json, document 2: is not JSON',
    ],
    ['half a file', { 'configs/x.json': '{"schema":' }, 'document 1: ends in the middle'],
    ['broken YAML', { 'configs/x.yaml': 'a: [' }, 'file configs/x.yaml, document 1: is not YAML'],
    [
      'a YAML bomb',
      {
        'configs/x.yaml': `a: &a [x,x]\n${Array.from({ length: 30 }, (__, at) => `b${at}: &b${at} [*${at ? `b${at - 1}` : 'a'},*${at ? `b${at - 1}` : 'a'}]`).join('\n')}`,
      },
      'document 1',
    ],
    ['deep YAML', { 'configs/x.yaml': '['.repeat(100_000) }, 'document 1'],
    ['a text', { 'configs/README.md': 'hello there' }, 'document 1, field document: is not an object'],
    ['no schema', { 'configs/x.json': '{"name":"x"}' }, 'document 1, field schema: is missing'],
    ['no name', { 'configs/x.json': '{"schema":"olm.package"}' }, 'field name: is missing'],
    [
      'a number for a name',
      { 'configs/x.yaml': 'schema: olm.package\nname: 4.10\n' },
      'field name: is number, want text (in YAML: in quotes)',
    ],
    [
      'entries that are no list',
      { 'configs/x.json': '{"schema":"olm.channel","package":"a","name":"b","entries":{}}' },
      'field entries: is not a list',
    ],
    [
      'an entry without a name',
      { 'configs/x.json': '{"schema":"olm.channel","package":"a","name":"b","entries":[{"name":"x"},{}]}' },
      'field entries[1].name: is missing',
    ],
    [
      'a bundle without version',
      { 'configs/x.json': JSON.stringify({ ...bundle, properties: [] }) },
      'field properties: has no olm.package property',
    ],
    [
      'a bundle of another package',
      { 'configs/x.json': JSON.stringify({ ...bundle, package: 'q' }) },
      'is "bar", want the bundle\'s package "q"',
    ],
    [
      'a version that is none',
      { 'configs/x.json': json('bar', { ...bar, versions: { 'bar.v0.1.0': 'one' } }) },
      'bundle "bar.v0.1.0" has version "one"',
    ],
    [
      'a package twice',
      { 'configs/x.json': json('bar', bar), 'configs/y.json': json('bar', bar) },
      'file configs/y.json: package "bar" is in the catalog twice',
    ],
    [
      'a channel of no package',
      {
        'configs/x.json': json('bar', bar),
        'configs/y.json': '{"schema":"olm.channel","package":"a","name":"b","entries":[]}',
      },
      'channel "b" belongs to package "a"',
    ],
    [
      'a symbolic link',
      { 'configs/x.json': { type: 'symlink', linkname: '/etc/passwd' } },
      'is a link to "/etc/passwd"',
    ],
    ['a hard link', { 'configs/x.json': { type: 'link', linkname: 'etc/passwd' } }, 'is a link'],
    ['the folder as a link', { configs: { type: 'symlink', linkname: '/etc' } }, 'is a link to "/etc"'],
    ['the folder as a file', { configs: 'x' }, 'want the folder of the catalog'],
    ['a way out', { 'configs/../../x.json': 'x' }, 'leads out of its folder'],
    ['a large ignore file', { 'configs/.indexignore': 'x'.repeat(70_000) }, 'more than 65536'],
  ])('refuses %s', async (_, members, what) => {
    await expect(readCatalog(await imageOf([members]), WHERE)).rejects.toMatchObject({
      code: 'CATALOG_INVALID',
      message: expect.stringContaining(what),
      place: expect.objectContaining({ image: WHERE }),
    });
  });

  it.each<[string, Uint8Array, string]>([
    ['no JSON', Buffer.from('x'), 'image config is not JSON'],
    ['no labels', configOf(undefined), 'it is no operator catalog'],
    [
      'a database',
      configOf({ 'operators.operatorframework.io.index.database.v1': '/db' }),
      'old SQLite catalog',
    ],
    ['the root', configOf({ [LABEL]: '/' }), 'want a folder'],
    ['a way out', configOf({ [LABEL]: '/configs/../..' }), 'want a folder'],
  ])('refuses an image config with %s', async (_, config, what) => {
    await expect(readCatalog({ config, layers: [] }, WHERE)).rejects.toMatchObject({
      code: 'CATALOG_INVALID',
      message: expect.stringContaining(what),
    });
  });

  it('refuses a sparse member of 10 GB in the folder before any of it', async () => {
    const tar = await tarOf({ 'configs/x.json': '{}' });
    // The size field of the one header, binary, and its checksum made good.
    tar.writeUIntBE(10_000_000_000, 130, 6);
    tar.fill(0, 124, 130).writeUInt8(0x80, 124);
    tar.write('        ', 148);
    const sum = tar.subarray(0, 512).reduce((total, byte) => total + byte, 0);
    tar.write(`${sum.toString(8).padStart(6, '0')}\0 `, 148);
    const image = { config: configOf({ [LABEL]: 'configs' }), layers: [layerOf(tar)] };
    await expect(readCatalog(image, WHERE)).rejects.toThrow('has 10000000000 bytes, more than 1073741824');
  });

  it.each(['gzip', 'zstd'])('stops a %s bomb at the limit', async (packing) => {
    const image = await imageOf(
      [{ big: '0'.repeat(20_000_000), 'configs/foo.json': json('foo', foo) }],
      packings[packing],
    );
    await expect(readCatalog(image, WHERE, { maxUnpackedBytes: 10_000_000 })).rejects.toMatchObject({
      code: 'CATALOG_INVALID',
      message: expect.stringContaining('unpack to more than 10000000 bytes'),
    });
    await expect(readCatalog(image, WHERE)).resolves.toBeDefined();
  });

  it.each(['gzip', 'zstd'])('refuses a %s layer cut short', async (packing) => {
    const packed = packings[packing]?.(await tarOf(both)) ?? Buffer.of();
    const image = {
      config: configOf({ [LABEL]: '/configs' }),
      layers: [layerOf(packed.subarray(0, packed.length - 20))],
    };
    await expect(readCatalog(image, WHERE)).rejects.toMatchObject({ code: 'CATALOG_INVALID' });
  });

  it('refuses a file that is not UTF-8', async () => {
    const tar = await tarOf({ 'configs/x.json': '{"schema":"?"}' });
    tar[tar.indexOf('?')] = 0xff;
    const image = { config: configOf({ [LABEL]: '/configs' }), layers: [layerOf(tar)] };
    await expect(readCatalog(image, WHERE)).rejects.toThrow(
      'file configs/x.json, document 1: is not UTF-8 text',
    );
  });

  it('refuses more files than any catalog has', async () => {
    const name = 'configs/.wh.x';
    const one = (await tarOf({ [name]: '' })).subarray(0, 512);
    const image = {
      config: configOf({ [LABEL]: '/configs' }),
      layers: [layerOf(Buffer.alloc(512 * 100_001, one))],
    };
    await expect(readCatalog(image, WHERE)).rejects.toThrow('has more than 100000 files');
  });

  it('refuses more documents than any catalog has', async () => {
    const image = await imageOf([{ 'configs/x.yaml': '---\n'.repeat(500_001) }]);
    await expect(readCatalog(image, WHERE)).rejects.toThrow('has more than 500000 documents');
  });

  it('refuses more names than any catalog has', async () => {
    const skips = Array.from({ length: 5_000_001 }, () => 'x');
    const channel = { schema: 'olm.channel', package: 'a', name: 'b', entries: [{ name: 'c', skips }] };
    await expect(
      readCatalog(await imageOf([{ 'configs/x.json': JSON.stringify(channel) }]), WHERE),
    ).rejects.toThrow('has more than 5000000 names');
  });

  it('refuses a layer that is no tar', async () => {
    const image = { config: configOf({ [LABEL]: '/configs' }), layers: [layerOf(Buffer.alloc(600, 'no'))] };
    await expect(readCatalog(image, WHERE)).rejects.toMatchObject({ code: 'TAR_INVALID' });
  });

  it.each(['gzip', 'plain'])('passes on what the source of a %s layer throws', async (packing) => {
    const packed = packings[packing]?.(await tarOf(both)) ?? Buffer.of();
    const broken = {
      mediaType: '',
      open: async () =>
        (async function* () {
          yield packed.subarray(0, 100);
          throw new Error('line dropped');
        })(),
    };
    const image = { config: configOf({ [LABEL]: '/configs' }), layers: [broken] };
    await expect(readCatalog(image, WHERE)).rejects.toThrow('line dropped');
  });

  it('stops when told to', async () => {
    const signal = AbortSignal.abort(new Error('stopped'));
    await expect(readCatalog(await imageOf([both]), WHERE, { signal })).rejects.toThrow('stopped');
  });
});
