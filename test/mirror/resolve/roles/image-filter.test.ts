import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { assertFiltersHarmless, filterImpact } from '../../../../src/mirror/resolve/roles/filter-impact.ts';
import { compileGoPattern } from '../../../../src/mirror/resolve/roles/go-pattern.ts';
import { blockedImageFilters, parseFilterFile } from '../../../../src/mirror/resolve/roles/image-filter.ts';
import { payloadRoles } from '../../../../src/mirror/resolve/roles/payload-roles.ts';

describe('compileGoPattern', () => {
  it.each<[string, string, string]>([
    ['aws', 'release:4.13.1-x86_64-aws-ebs-csi-driver', 'drawers'],
    ['\\baws\\b', '4.13.1-x86_64-aws-ebs', '4.13.1-x86_64-laws'],
    ['(?i)AZURE', 'azure-disk', 'asure'],
    ['^quay\\.io/.*', 'quay.io/a', 'registry/quay.io/a'],
    ['(?P<cloud>aws|gcp)-pd', 'gcp-pd', 'pd'],
    ['\\Atests\\z', 'tests', 'tests2'],
    ['(?:a|b)\\.c', 'b.c', 'bxc'],
    ['\\\\Aws', '\\Aws', 'ws'],
  ])('reads %s', (pattern, matching, other) => {
    expect(compileGoPattern(pattern).test(matching)).toBe(true);
    expect(compileGoPattern(pattern).test(other)).toBe(false);
  });

  it.each(['[', 'a(b', '*aws', '\\Qa.b\\E', '[[:alpha:]]+', '\\pL', 'a(?i)b', '(?i:a)b', '\\x{263a}'])(
    'refuses %s',
    (pattern) => {
      expect(() => compileGoPattern(pattern)).toThrow(SyntaxError);
    },
  );
});

describe('parseFilterFile', () => {
  it.each<[string, string, [string, number][]]>([
    [
      'the YAML of telco-ran-tools',
      '---\npatterns:\n  - alibaba\n  # cloud\n  - "\\\\baws\\\\b"\n',
      [
        ['alibaba', 3],
        ['\\baws\\b', 5],
      ],
    ],
    [
      'a flow list',
      'patterns: [gcp, "ibm"]',
      [
        ['gcp', 1],
        ['ibm', 1],
      ],
    ],
    ['no patterns', 'patterns:\n', []],
    [
      'a bare list',
      '- gcp\n- ibm\n',
      [
        ['gcp', 1],
        ['ibm', 2],
      ],
    ],
    [
      'a pattern a line',
      '# clouds\n\ngcp\n  ^quay\\.io/x:.*$  \r\n',
      [
        ['gcp', 3],
        ['^quay\\.io/x:.*$', 4],
      ],
    ],
    ['one line', 'vsphere', [['vsphere', 1]]],
    ['an empty file', '', []],
  ])('reads %s', (_name, text, expected) => {
    const filters = parseFilterFile(text, 'filters.yaml');
    expect(filters.map(({ text: pattern, where }) => [pattern, where])).toEqual(
      expected.map(([pattern, line]) => [pattern, `filters.yaml:${line}`]),
    );
  });

  it.each<[string, string, number | undefined, string]>([
    ['another key', 'patterns: [a]\npattern: [b]\n', 2, 'pattern is not known here'],
    ['patterns that are no list', 'patterns: aws\n', 1, 'patterns is not a list'],
    ['a number', 'patterns:\n  - a\n  - 7\n', 3, 'not a text'],
    ['a list in the list', 'patterns:\n  - [a]\n', undefined, 'not a text'],
    ['a bad pattern', 'patterns:\n  - a\n  - "[b"\n', 3, 'pattern "[b"'],
    ['an empty pattern', 'patterns: [""]', 1, 'drop every image'],
    ['broken YAML', 'patterns:\n  - a\n  b: c\n', 3, 'filters.yaml:3'],
    ['a bad line', 'aws\n(gcp\n', 2, 'pattern "(gcp"'],
    ['a file of 2 MiB', 'a'.repeat(2 << 20), undefined, 'want at most'],
  ])('refuses %s', (_name, text, line, message) => {
    const parse = () => parseFilterFile(text, 'filters.yaml');
    expect(parse).toThrow(expect.objectContaining({ code: 'FILTER_INVALID', exitCode: 3 }));
    expect(parse).toThrow(message);
    if (line !== undefined)
      expect(parse).toThrow(expect.objectContaining({ place: { file: 'filters.yaml', line } }));
  });
});

describe('blockedImageFilters', () => {
  it('compiles names as patterns and tells the line', () => {
    const [filter] = blockedImageFilters([{ name: 'quay.io/x/.*', line: 12 }], 'imageset.yaml');
    expect(filter).toMatchObject({ text: 'quay.io/x/.*', where: 'imageset.yaml:12' });
    expect(() => blockedImageFilters([{ name: '(', line: 3 }], 'imageset.yaml')).toThrow('imageset.yaml:3');
  });
});

describe('filterImpact', () => {
  const image = (name: string, requiredBy: string[] = [], reference = `quay.io/a@${name}`) => ({
    reference,
    aliases: [`openshift/release:4.18.9-x86_64-${name}`],
    requiredBy,
  });
  const filters = (...patterns: string[]) => parseFilterFile(JSON.stringify(patterns), 'f.yaml');
  const names = (list: readonly { readonly aliases: readonly string[] }[]) =>
    list.map(({ aliases: [alias = ''] }) => alias.replace(/.*x86_64-/, ''));

  it('tells what is dropped, what that breaks, and which patterns did nothing', () => {
    const images = [
      image('aws-ebs'),
      image('etcd', ['bootstrap: bootkube.sh:63']),
      image('console'),
      image('vsphere'),
    ];
    const impact = filterImpact(images, filters('aws', 'etcd', 'openstack', 'a@vsphere$'));
    expect(names(impact.kept)).toEqual(['console']);
    expect(
      impact.dropped.map(({ image: { aliases }, filter }) => [aliases[0]?.split('-').at(-1), filter.text]),
    ).toEqual([
      ['ebs', 'aws'],
      ['etcd', 'etcd'],
      ['vsphere', 'a@vsphere$'],
    ]);
    expect(names(impact.breaking.map((each) => each.image))).toEqual(['etcd']);
    expect(impact.unused.map(({ where }) => where)).toEqual(['f.yaml:1']);
    expect(() => assertFiltersHarmless(impact)).toThrow(
      expect.objectContaining({ code: 'FILTER_BREAKS_INSTALL', exitCode: 4 }),
    );
    expect(() => assertFiltersHarmless(impact)).toThrow(
      /x86_64-etcd: dropped by "etcd" \(f.yaml:1\), needed by bootstrap/,
    );
  });

  it('keeps an image that also goes by a name no filter matches', () => {
    const images = [
      image('tests', [], 'quay.io/a@same'),
      image('cli', ['x'], 'quay.io/a@same'),
      image('gcp'),
    ];
    const impact = filterImpact(images, filters('tests', 'gcp'));
    expect(names(impact.kept)).toEqual(['tests', 'cli']);
    expect(names(impact.shared.map((each) => each.image))).toEqual(['tests']);
    expect(impact.breaking).toEqual([]);
    expect(() => assertFiltersHarmless(impact)).not.toThrow();
  });

  it('drops nothing without filters', () => {
    expect(filterImpact([image('etcd')], [])).toMatchObject({
      kept: [image('etcd')],
      dropped: [],
      unused: [],
    });
  });
});

const fixtures = process.env.EDGEFAB_FIXTURES;
describe.skipIf(fixtures === undefined)(
  'the documented filters on a real 4.13.1 (needs EDGEFAB_FIXTURES)',
  () => {
    const DOCUMENTED =
      'alibaba aws azure cluster-samples-operator gcp ibm kubevirt libvirt manila nfs nutanix openstack ovirt sdn tests thanos vsphere';
    it('drops cloud images of the release, and none that the install needs', async () => {
      const mapping = await readFile(join(fixtures ?? '', 'imageset', '4.13.1', 'mapping.txt'), 'utf8');
      const lines = [...mapping.matchAll(/^(\S+)=openshift\/release:4\.13\.1-x86_64-(\S+)$/gm)];
      const { components } = payloadRoles({
        names: lines.map(([, , name = '']) => name),
        bootstrap: undefined,
        version: '4.13.1',
      });
      const needs = new Map(components.map(({ name, requiredBy }) => [name, requiredBy]));
      const images = lines.map(([, reference = '', name = '']) => ({
        reference,
        aliases: [`openshift/release:4.13.1-x86_64-${name}`],
        requiredBy: needs.get(name) ?? [],
      }));
      const impact = filterImpact(
        images,
        parseFilterFile(JSON.stringify({ patterns: DOCUMENTED.split(' ') }), 'f'),
      );
      expect([images.length, impact.dropped.length, impact.breaking.length]).toEqual([183, 54, 0]);
      expect(impact.unused).toEqual([]);
    });
  },
);
