import { describe, expect, test } from 'vitest';
import { registryRepository } from '../../../../src/mirror/store/registry-view/registry-repository.ts';
import { registryTags } from '../../../../src/mirror/store/registry-view/registry-tags.ts';
import { digestFor, lockedImage } from '../../../support/locked-image.ts';

const deep = Array.from({ length: 20 }, (_, at) => `level${at}`).join('/');

describe('registryRepository', () => {
  test.each([
    ['a host', 'quay.io/org/app', 'quay.io/org/app'],
    ['a port', 'registry.example.com:5000/org/app', 'registry.example.com__5000/org/app'],
    ['localhost', 'localhost:5000/app', 'localhost__5000/app'],
    ['Docker Hub', 'docker.io/busybox', 'docker.io/library/busybox'],
    ['a host in capitals', 'Quay.IO/org/app', 'quay.io/org/app'],
    ['an IPv6 host', '[fd00::1]:5000/app', 'fd00__0__0__0__0__0__0__1__5000/app'],
    ['an IPv6 host without a port', '[fd00::1]/app', 'fd00__0__0__0__0__0__0__1/app'],
    ['a deep path', `quay.io/${deep}`, `quay.io/${deep}`],
    ['two underscores in the path', 'localhost:5000/a__b', 'localhost__5000/a__b'],
  ])('%s', (_, source, repository) => {
    expect(registryRepository(source)).toBe(repository);
  });

  test.each([
    ['no host', 'org/app'],
    ['a way out', 'quay.io/../../etc'],
    ['a way out as the host', '../etc/passwd'],
    ['a dot folder', 'quay.io/./app'],
    ['an empty part', 'quay.io//app'],
    ['a folder of the registry’s own', 'quay.io/app/_manifests'],
    ['a tag', 'quay.io/org/app:v1'],
    ['a digest', `quay.io/org/app@${digestFor('x')}`],
    ['a NUL', 'quay.io/org/app\0'],
    ['a line break', 'quay.io/org/app\n'],
    ['a zone', '[fe80::1%eth0]/app'],
    ['a name longer than mirrors may have', `quay.io/${'a'.repeat(232)}`],
    ['nothing', ''],
  ])('refuses %s', (_, source) => {
    expect(() => registryRepository(source)).toThrow(expect.objectContaining({ code: 'REFERENCE_INVALID' }));
  });

  test('the longest name that a mirror can be asked for is taken', () => {
    expect(registryRepository(`quay.io/${'a'.repeat(231)}`)).toHaveLength(239);
  });
});

describe('registryTags', () => {
  const image = (source: string, tag: string, word: string) =>
    lockedImage(source, {}, { tag, digest: digestFor(word), archDigest: digestFor(word) });

  test('tags are of their repository', () => {
    const tags = registryTags([
      image('quay.io/a', 'v1', 'one'),
      image('quay.io/b', 'v1', 'two'),
      image('quay.io/b', 'v2', 'three'),
    ]);
    expect([...tags].map(([repository, known]) => [repository, [...known]])).toEqual([
      ['quay.io/a', [['v1', digestFor('one')]]],
      [
        'quay.io/b',
        [
          ['v1', digestFor('two')],
          ['v2', digestFor('three')],
        ],
      ],
    ]);
  });

  test('a tag that means two manifests is served as neither', () => {
    const tags = registryTags([
      image('quay.io/a', 'v1', 'one'),
      image('quay.io/a', 'v1', 'two'),
      image('quay.io/a', 'v1', 'one'),
    ]);
    expect(tags.get('quay.io/a')).toEqual(new Map());
  });

  test.each(['..', 'a/b', '../../x', '', `v${'1'.repeat(128)}`])('refuses the tag %j', (tag) => {
    expect(() => registryTags([image('quay.io/a', tag, 'one')])).toThrow(
      expect.objectContaining({ code: 'REFERENCE_INVALID' }),
    );
  });
});
