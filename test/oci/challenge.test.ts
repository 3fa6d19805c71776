import { expect, test } from 'vitest';
import { parseChallenges } from '../../src/oci/challenge.ts';

const plain = (header: string) =>
  parseChallenges(header).map(({ scheme, parameters }) => [scheme, Object.fromEntries(parameters)]);

test.each([
  ['nothing', '', []],
  ['a scheme alone', 'Negotiate', [['negotiate', {}]]],
  [
    'a usual one',
    'Bearer realm="https://auth.docker.io/token",service="registry.docker.io",scope="repository:a/b:pull,push"',
    [
      [
        'bearer',
        {
          realm: 'https://auth.docker.io/token',
          service: 'registry.docker.io',
          scope: 'repository:a/b:pull,push',
        },
      ],
    ],
  ],
  [
    'blanks around everything',
    '  Bearer   realm = "https://a/b" ,\t service= "s" ',
    [['bearer', { realm: 'https://a/b', service: 's' }]],
  ],
  ['escapes', 'Basic realm="a \\"b\\", c=\\\\"', [['basic', { realm: 'a "b", c=\\' }]]],
  ['any case', 'BEARER Realm="x",SERVICE=y', [['bearer', { realm: 'x', service: 'y' }]]],
  [
    'two schemes in one header',
    'Basic realm="x, Bearer realm=\\"evil\\"", Bearer realm="https://a",service="s"',
    [
      ['basic', { realm: 'x, Bearer realm="evil"' }],
      ['bearer', { realm: 'https://a', service: 's' }],
    ],
  ],
  [
    'a token before another scheme',
    'Negotiate dGVzdA==, Basic realm="x"',
    [
      ['negotiate', {}],
      ['basic', { realm: 'x' }],
    ],
  ],
  [
    'an unquoted URL',
    'Bearer realm=https://a/token,service=s',
    [['bearer', { realm: 'https://a/token', service: 's' }]],
  ],
  ['empty list members', ',, Basic realm="x",,', [['basic', { realm: 'x' }]]],
  ['the first of twins', 'Bearer realm="a",realm="b"', [['bearer', { realm: 'a' }]]],
  ['an empty value', 'Bearer realm="",service=""', [['bearer', { realm: '', service: '' }]]],
  [
    'an open quote',
    'Basic realm="x", Bearer realm="https://a',
    [
      ['basic', { realm: 'x' }],
      ['bearer', {}],
    ],
  ],
  ['no value', 'Bearer realm=', [['bearer', {}]]],
  ['no scheme', '="x"', []],
])('%s', (_, header, want) => {
  expect(plain(header)).toEqual(want);
});

test.each([
  ['blanks', ' '.repeat(1e6)],
  ['quotes', `Bearer realm="${'\\"'.repeat(1e6)}`],
  ['token characters', `Bearer ${'a'.repeat(1e6)}="`],
  ['equal signs', `Bearer a${'='.repeat(1e6)}x`],
  ['many schemes', 'a '.repeat(1e6)],
])('a flood of %s takes no time', (_, header) => {
  const start = performance.now();
  parseChallenges(header);
  expect(performance.now() - start).toBeLessThan(1000);
});
