import { describe, expect, test } from 'vitest';
import { z } from 'zod/v4';
import { EdgefabError } from '../../src/errors.ts';
import { parseCheckedYaml } from '../../src/formats/checked-yaml.ts';
import { secretValue } from '../../src/formats/schema-walk.ts';

const source = z.union([z.strictObject({ file: z.string() }), z.strictObject({ env: z.string() })]);

const schema = z.strictObject({
  name: z.string(),
  count: z.int().min(1).max(9).describe('a number from 1 to 9').optional(),
  mode: z.enum(['registry', 'preload']).optional(),
  on: z.boolean().optional(),
  from: z.union([source, z.string()]).optional(),
  secret: secretValue(source).optional(),
  list: z.array(z.strictObject({ id: z.string(), tags: z.array(z.string()).optional() })).optional(),
});

function parse(text: string) {
  return parseCheckedYaml(text, { file: 'f.yaml', code: 'FACTORY_INVALID', schema }).value;
}

function failure(text: string): EdgefabError {
  try {
    parse(text);
  } catch (error) {
    if (error instanceof EdgefabError) return error;
    throw error;
  }
  throw new Error('was accepted');
}

function faults(text: string): string[] {
  return failure(text)
    .message.split('\n')
    .slice(1)
    .map((line) => line.trim());
}

describe('accepts', () => {
  test.each([
    [
      'YAML',
      'name: a\nlist:\n  - id: x\n    tags: [1.0.0]\n',
      { name: 'a', list: [{ id: 'x', tags: ['1.0.0'] }] },
    ],
    ['JSON', '{"name": "a", "on": true, "count": 3}', { name: 'a', on: true, count: 3 }],
    ['an empty value as an absent key', 'name: a\nmode:\ncount: ~\n', { name: 'a' }],
    ['anchors', 'name: &n a\nfrom: *n\n', { name: 'a', from: 'a' }],
    [
      'an anchor set twice',
      'name: &n a\nfrom: &n b\nlist: [{id: *n}]\n',
      { name: 'a', from: 'b', list: [{ id: 'b' }] },
    ],
    ['YAML 1.2 words', 'name: yes\nfrom: off\n', { name: 'yes', from: 'off' }],
    ['CRLF', 'name: a\r\non: true\r\n', { name: 'a', on: true }],
    ['a byte order mark and a document mark', '\uFEFF---\nname: a\n', { name: 'a' }],
  ])('%s', (_name, text, want) => {
    expect(parse(text)).toEqual(want);
  });
});

describe('refuses, with the place', () => {
  test.each<[string, string, string[]]>([
    ['an empty file', '', ['f.yaml:1:1  found nothing, expected a map with name']],
    ['another kind', '- a\n', ['f.yaml:1:1  found a list, expected a map with name']],
    ['a missing key', 'on: true\n', ['f.yaml:1:1  name: missing, expected text']],
    ['a key left empty', 'on: true\nname:\n', ['f.yaml:2:1  name: missing, expected text']],
    ['an unknown key', 'name: a\nmod: registry\n', ['f.yaml:2:1  mod: unknown key (did you mean mode?)']],
    [
      'an unknown key like none',
      'name: a\nzzzz: 1\n',
      ['f.yaml:2:1  zzzz: unknown key, expected one of name, count, mode, on, from, secret, list'],
    ],
    [
      'a word not in the list',
      'name: a\nmode: preloda\n',
      ['f.yaml:2:7  mode: found "preloda", expected one of registry, preload (did you mean preload?)'],
    ],
    [
      'a number too large',
      'name: a\ncount: 10\n',
      ['f.yaml:2:8  count: found 10, expected a number from 1 to 9'],
    ],
    [
      'a fraction',
      'name: a\ncount: 1.50\n',
      ['f.yaml:2:8  count: found 1.50, expected a number from 1 to 9'],
    ],
    [
      'text for a number',
      'name: a\ncount: "3"\n',
      ['f.yaml:2:8  count: found "3", expected a number from 1 to 9'],
    ],
    ['a YAML 1.1 boolean', 'name: a\non: yes\n', ['f.yaml:2:5  on: found "yes", expected true or false']],
    [
      'a number for text, as it was written',
      'name: 4.10\n',
      ['f.yaml:1:7  name: found 4.10, expected text (write it in quotes: "4.10")'],
    ],
    [
      'a nested list',
      'name: a\nlist:\n  - id: x\n  - tags: [a, {b: c}]\n',
      [
        'f.yaml:4:5  list[1].id: missing, expected text',
        'f.yaml:4:15  list[1].tags[1]: found a map with b, expected text',
      ],
    ],
    [
      'a typed-wrong alternative',
      'name: a\nfrom: {fil: x}\n',
      ['f.yaml:2:8  from.fil: unknown key (did you mean file?)'],
    ],
    [
      'two alternatives at once',
      'name: a\nfrom: {file: x, env: y}\n',
      ['f.yaml:2:7  from: found a map with file, env, expected a map with file, or a map with env, or text'],
    ],
    [
      'no alternative',
      'name: a\nfrom: [x]\n',
      ['f.yaml:2:7  from: found a list, expected a map with file, or a map with env, or text'],
    ],
    [
      'a value of an alternative',
      'name: a\nfrom: {file: 3}\n',
      ['f.yaml:2:14  from.file: found 3, expected text (write it in quotes: "3")'],
    ],
    [
      'a fault behind an alias, at the anchor',
      'name: a\nlist: [{id: &x 1}]\nfrom: {file: *x}\n',
      [
        'f.yaml:2:16  from.file: found 1, expected text (write it in quotes: "1")',
        'f.yaml:2:16  list[0].id: found 1, expected text (write it in quotes: "1")',
      ],
    ],
    [
      'control characters, escaped',
      'name: a\nmode: "x\\e[31m\\u202e"\n"k\\e\\u202e": 1\n',
      [
        'f.yaml:2:7  mode: found "x\\u001b[31m\\u202e", expected one of registry, preload',
        'f.yaml:3:1  ["k\\u001b\\u202e"]: unknown key, expected one of name, count, mode, on, from, secret, list',
      ],
    ],
    [
      'a secret, not shown',
      'name: a\nsecret: hunter2\n',
      [
        'f.yaml:2:9  secret: found text (7 characters, not shown), expected a map with file, or a map with env',
      ],
    ],
    [
      'a secret in a part, not shown',
      'name: a\nsecret: {file: [hunter2]}\n',
      ['f.yaml:2:16  secret.file: found a list, expected text'],
    ],
    [
      'a secret number, not shown',
      'name: a\nsecret: {file: 12345}\n',
      ['f.yaml:2:16  secret.file: found a value (not shown), expected text'],
    ],
    [
      'a core tag of the wrong kind',
      'name: !!int 3\n',
      ['f.yaml:1:13  name: found 3, expected text (write it in quotes: "3")'],
    ],
  ])('%s', (_name, text, want) => {
    expect(faults(text)).toEqual(want);
  });

  test.each<[string, string, RegExp[]]>([
    ['a duplicate key', 'name: a\non: true\nname: b\n', [/^f.yaml:3:1 {2}duplicate key "name"$/]],
    ['a duplicate key in JSON', '{"name": "a", "name": "b"}', [/^f.yaml:1:15 {2}duplicate key "name"$/]],
    ['a second document', 'name: a\n---\nname: b\n', [/^f.yaml:2:1 {2}a second document, expected one$/]],
    ['a custom tag', 'name: !js a\n', [/^f.yaml:1:7 {2}.*tag/]],
    ['a binary tag', 'name: !!binary aGk=\n', [/^f.yaml:1:\d+ {2}the tag .*binary/]],
    ['YAML 1.1', '%YAML 1.1\n---\nname: a\n', [/expected YAML 1.2/]],
    ['an unknown alias', 'name: *nope\n', [/^f.yaml:1:7 {2}alias \*nope has no anchor/]],
    ['a key that is a list', 'name: a\n? [b]\n: c\n', [/^f.yaml:2:3 {2}a key must be plain text$/]],
    ['a prototype key', 'name: a\n__proto__: {on: true}\n', [/^f.yaml:2:1 {2}a key must be plain text$/]],
    ['a bad indent', 'name: a\n on: b\n', [/^f.yaml:\d/]],
    ['an open quote', 'name: "a\n', [/^f.yaml:\d/]],
    ['a tab', 'name: a\nlist:\n\t- id: x\n', [/^f.yaml:3:/]],
    ['two syntax faults at once', 'name: *a\nfrom: *b\n', [/^f.yaml:1:7/, /^f.yaml:2:7/]],
  ])('%s', (_name, text, want) => {
    const got = faults(text);
    want.forEach((pattern, index) => {
      expect(got[index]).toMatch(pattern);
    });
  });
});

describe('is bounded', () => {
  const laughs = ['a: &a [x,x,x,x,x,x,x,x,x]'];
  for (const [at, key] of [...'bcdefghij'].entries())
    laughs.push(`${key}: &${key} [${Array.from({ length: 9 }, () => `*${'abcdefghij'[at]}`).join()}]`);

  test.each<[string, string, RegExp]>([
    ['nested aliases', laughs.join('\n'), /more than 250000 values with aliases expanded/],
    ['an alias of itself', 'a: &a [*a, *a]', /nested deeper than 64 levels/],
    ['deep flow lists', `a: ${'['.repeat(500_000)}`, /nested deeper than 64 levels/],
    ['deep block lists', '- '.repeat(500_000), /nested deeper than 64 levels/],
    ['deep explicit keys', '? '.repeat(100_000), /nested deeper than 64 levels/],
    ['deep maps', Array.from({ length: 300 }, (_, at) => `${' '.repeat(at)}k:`).join('\n'), /nested deeper/],
    ['many values', `a: [${'x,'.repeat(260_000)}]`, /more than 250000 values/],
    ['many marks', `a: ${'!a '.repeat(1_000_000)}`, /more than 1500000 words and marks/],
    ['a large file', `# ${'x'.repeat(4 * 1024 * 1024)}`, /is 4194306 bytes long, want at most 4194304/],
  ])('%s', (_name, text, want) => {
    expect(failure(text).message).toMatch(want);
  });

  test('shows at most 100 faults and keeps them all for programs', () => {
    const error = failure(`name: a\nlist:\n${'- {}\n'.repeat(150)}`);
    expect(error.message.split('\n')).toHaveLength(102);
    expect(error.message).toMatch(/… and 50 more$/);
    expect(error.faults).toHaveLength(150);
  });
});

test('carries the code, the first place and every fault', () => {
  const error = failure('name: 1\nmode: x\n');
  expect(error).toMatchObject({
    code: 'FACTORY_INVALID',
    exitCode: 3,
    place: { file: 'f.yaml', line: 1, col: 7, field: 'name' },
    faults: [
      { place: { file: 'f.yaml', line: 1, col: 7, field: 'name' } },
      {
        place: { file: 'f.yaml', line: 2, col: 7, field: 'mode' },
        message: 'found "x", expected one of registry, preload',
      },
    ],
  });
  expect(error.message).toMatch(/^f\.yaml has 2 faults:\n/);
});
