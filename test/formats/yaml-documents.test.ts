import { describe, expect, it } from 'vitest';
import { YamlDocuments } from '../../src/formats/yaml-documents.ts';

function split(text: string, chunkBytes: number): string[] {
  const bytes = Buffer.from(text);
  const documents: string[] = [];
  const splitter = new YamlDocuments({
    maxDocumentBytes: 100,
    onDocument: (document) => documents.push(Buffer.from(document).toString()),
    fault: (what) => new Error(what),
  });
  for (let at = 0; at < bytes.length; at += chunkBytes) splitter.push(bytes.subarray(at, at + chunkBytes));
  splitter.finish();
  return documents.filter((document) => document.trim() !== '');
}

describe.each([1, 2, 5, 1000])('YamlDocuments in chunks of %i bytes', (chunkBytes) => {
  it.each<[string, string, string[]]>([
    ['one document', 'a: 1\n', ['\na: 1\n']],
    ['a marker first', '---\na: 1\n', ['\na: 1\n']],
    ['markers between and last', 'a: 1\n---\nb: 2\n---', ['\na: 1\n', '\nb: 2']],
    ['windows lines', 'a: 1\r\n---\r\nb: 2\r\n', ['\na: 1\r\n', '\r\nb: 2\r\n']],
    ['a comment on the marker', '--- # x\na: 1\n', [' # x\na: 1\n']],
    ['dashes that are no marker', 'a: |\n  ---\n----\nb---\n', ['\na: |\n  ---\n----\nb---\n']],
    ['nothing', '', []],
  ])('splits %s', (_, text, expected) => {
    expect(split(text, chunkBytes)).toEqual(expected);
  });

  it('refuses a large document', () => {
    expect(() => split(`a: 1\n---\nb: ${'x'.repeat(200)}\n`, chunkBytes)).toThrow('larger than 100');
  });
});
