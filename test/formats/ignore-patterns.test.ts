import { describe, expect, it } from 'vitest';
import { isIgnored, parseIgnoreFile } from '../../src/formats/ignore-patterns.ts';

describe('isIgnored', () => {
  it.each<[string, string, boolean]>([
    ['*.md', 'README.md', true],
    ['*.md', 'foo/docs/README.md', true],
    ['*.md', 'foo/README.mdx', false],
    ['/*.md', 'foo/README.md', false],
    ['docs/', 'docs/index.yaml', true],
    ['docs/', 'foo/docs/index.yaml', true],
    ['docs/', 'docs', false],
    ['foo/bar', 'foo/bar/catalog.json', true],
    ['foo/bar', 'x/foo/bar', false],
    ['**/bar', 'x/foo/bar', true],
    ['foo/**/z.json', 'foo/z.json', true],
    ['foo/**/z.json', 'foo/a/b/z.json', true],
    ['foo/**', 'foo/a/b', true],
    ['a?c', 'abc', true],
    ['a?c', 'ac', false],
    ['[a-c]x', 'bx', true],
    ['[!a-c]x', 'bx', false],
    ['[', '[', true],
    ['\\*', '*', true],
    ['\\*', 'a', false],
    ['# comment\n\nfoo  ', 'foo', true],
    ['*.json\n!keep.json', 'keep.json', false],
    ['!keep.json\n*.json', 'keep.json', true],
    ['*a*a*a*a*a*a*a*a*a*a*a*a*b', 'a'.repeat(2000), false],
  ])('%j on %s: %s', (text, path, expected) => {
    expect(isIgnored(path, parseIgnoreFile(text, ''))).toBe(expected);
  });

  it('keeps the patterns of a folder within it', () => {
    const patterns = parseIgnoreFile('*.yaml\n/top', 'foo');
    expect(
      ['foo/a.yaml', 'foo/top', 'a.yaml', 'foo/x/top', 'bar/foo/a.yaml'].map((path) =>
        isIgnored(path, patterns),
      ),
    ).toEqual([true, true, false, false, false]);
  });
});
