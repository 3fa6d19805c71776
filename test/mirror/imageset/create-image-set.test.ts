import { readdirSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { createImageSet } from '../../../src/mirror/imageset/create-image-set.ts';
import { formatImageSet } from '../../../src/mirror/imageset/document.ts';
import { loadOperatorSet } from '../../../src/mirror/imageset/operator-sets.ts';
import { parseOperatorWish } from '../../../src/mirror/imageset/operator-wish.ts';
import { parseImageSet } from '../../../src/mirror/imageset/parse.ts';
import { parseExactRelease } from '../../../src/mirror/imageset/release-sources.ts';

const CATALOG = 'registry.redhat.io/redhat/redhat-operator-index';

function created(release: string, operators: readonly string[] = [], catalog = 'redhat') {
  const document = createImageSet({
    release: parseExactRelease(release),
    api: 'v2alpha1',
    operators: operators.map((text) => parseOperatorWish(text, catalog)),
  });
  return parseImageSet(formatImageSet(document), 'new.yaml');
}

test.each([
  ['4.18.9', 'stable-4.18', 'ocp'],
  ['4.22.0-rc.1', 'candidate-4.22', 'ocp'],
  ['4.21.0-okd-scos.11', 'stable-scos-4', 'okd'],
])('release %s is found in channel %s of %s', (release, name, type) => {
  expect(created(release).platform.channels).toMatchObject([
    { name, type, minVersion: release, maxVersion: release },
  ]);
});

test.each<[string, readonly string[], unknown]>([
  ['a name', ['lvms-operator'], [{ name: 'lvms-operator', channels: [] }]],
  ['a channel', ['nfd:stable'], [{ name: 'nfd', channels: [{ name: 'stable' }] }]],
  [
    'a channel and a version',
    ['nfd:4.10:4.18.0-202501'],
    [{ name: 'nfd', channels: [{ name: '4.10', minVersion: '4.18.0-202501', maxVersion: '4.18.0-202501' }] }],
  ],
  [
    'one operator by two channels, one of them twice',
    ['a:x', 'b', 'a:y', 'a:x:1.0.0'],
    [{ name: 'a', channels: [{ name: 'x' }, { name: 'y' }] }, { name: 'b' }],
  ],
])('operators by %s', (_, operators, packages) => {
  expect(created('4.18.9', operators).operators).toMatchObject([{ catalog: `${CATALOG}:v4.18`, packages }]);
});

test('catalogs come apart, and an image is taken as it is', () => {
  const operators = [
    parseOperatorWish('a', 'redhat'),
    parseOperatorWish('b', 'certified'),
    parseOperatorWish('c', 'quay.io/org/index:v1'),
    parseOperatorWish('d', 'redhat'),
  ];
  const document = createImageSet({ release: parseExactRelease('4.18.9'), api: 'v1alpha2', operators });
  const set = parseImageSet(formatImageSet(document), 'new.yaml');
  expect(set.apiVersion).toBe('mirror.openshift.io/v1alpha2');
  expect(set.operators.map(({ catalog, packages }) => [catalog, packages.map(({ name }) => name)])).toEqual([
    [`${CATALOG}:v4.18`, ['a', 'd']],
    ['registry.redhat.io/redhat/certified-operator-index:v4.18', ['b']],
    ['quay.io/org/index:v1', ['c']],
  ]);
});

test.each(['amd64', 'multi'] as const)('the architecture %s is written down', (architecture) => {
  const release = parseExactRelease('4.18.9');
  const document = createImageSet({ release, api: 'v2alpha1', architecture, operators: [] });
  expect(parseImageSet(formatImageSet(document), 'x').platform.architectures).toEqual([architecture]);
});

describe('refuses', () => {
  test.each<[string, () => unknown, RegExp]>([
    ['a minor release', () => parseExactRelease('4.18'), /"4\.18" is not an exact version/],
    ['a release with odd characters', () => parseExactRelease('4.18.9\u001b[31m'), /\\u001b/],
    ['an operator without a name', () => parseOperatorWish(':stable', 'redhat'), /want NAME, NAME:CHANNEL/],
    ['an operator with four parts', () => parseOperatorWish('a:b:c:d', 'redhat'), /want NAME/],
    ['an operator that is a path', () => parseOperatorWish('../a', 'redhat'), /want NAME/],
    [
      'Red Hat catalogs for OKD',
      () => created('4.21.0-okd-scos.11', ['nfd']),
      /OKD .* has no catalog "redhat"/,
    ],
  ])('%s', (_, attempt, message) => {
    expect(attempt).toThrow(
      expect.objectContaining({
        code: 'USAGE_INVALID',
        exitCode: 2,
        message: expect.stringMatching(message),
      }),
    );
  });

  test('an operator set there is none of, with the nearest', async () => {
    await expect(loadOperatorSet('egde', parseExactRelease('4.18.9'))).rejects.toMatchObject({
      code: 'USAGE_INVALID',
      message: expect.stringContaining('edge, ran-du, virtualization'),
      suggestions: ['Did you mean "edge"?'],
    });
    await expect(loadOperatorSet('../4.13.1', parseExactRelease('4.18.9'))).rejects.toMatchObject({
      code: 'USAGE_INVALID',
    });
  });
});

const sets = readdirSync(new URL('../../../imagesets/operator-sets/', import.meta.url));

test.each(sets)('the operator set %s makes an image set that is read back', async (file) => {
  const release = parseExactRelease('4.18.9');
  const operators = await loadOperatorSet(file.replace('.yaml', ''), release);
  const names = operators.map(({ name }) => name);
  expect(new Set(names).size).toBe(names.length);
  const document = createImageSet({ release, api: 'v2alpha1', operators });
  const set = parseImageSet(formatImageSet(document), 'new.yaml');
  expect(set.operators.flatMap(({ packages }) => packages).map(({ name }) => name)).toEqual(names);
  expect(JSON.stringify(set)).not.toContain('{minor}');
});
