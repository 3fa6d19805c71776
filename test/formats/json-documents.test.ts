import { describe, expect, it } from 'vitest';
import { JsonDocuments } from '../../src/formats/json-documents.ts';

function split(
  bytes: Uint8Array,
  chunkBytes: number,
  limits = { maxDocumentBytes: 1000, maxStringBytes: 10 },
): string[] {
  const documents: string[] = [];
  const splitter = new JsonDocuments({
    ...limits,
    onDocument: (document) => documents.push(Buffer.from(document).toString()),
    fault: (what) => new Error(what),
  });
  for (let at = 0; at < bytes.length; at += chunkBytes) splitter.push(bytes.subarray(at, at + chunkBytes));
  splitter.finish();
  return documents;
}

const texts: [string, string, string[]][] = [
  ['two objects, no space', '{"a":1}{"b":2}', ['{"a":1}', '{"b":2}']],
  ['space around', '\n {"a":[1,{"c":{}}]}\r\n\t{}\n', ['{"a":[1,{"c":{}}]}', '{}']],
  ['nothing', ' \n', []],
  ['brackets and quotes in strings', '{"a":"}]{[","b":"\\"}"}{}', ['{"a":"}]{[","b":"\\"}"}', '{}']],
  ['backslashes before a quote', '{"a":"\\\\","b":"\\\\\\"}"}', ['{"a":"\\\\","b":"\\\\\\"}"}']],
  ['a string of the limit', '{"a":"0123456789"}', ['{"a":"0123456789"}']],
  ['a longer string', '{"a":"01234567890","b":"x"}', ['{"a":"","b":"x"}']],
  ['a longer string with escapes', '{"a":"\\\\\\"\\"\\"\\"\\"\\"\\\\","b":1}', ['{"a":"","b":1}']],
  ['characters of several bytes', '{"ä":"äöüß€"}', ['{"ä":""}']],
  ['a long string of quotes and text', `{"a":"${'\\"'.repeat(50)}${'x'.repeat(500)}"}`, ['{"a":""}']],
];

describe.each([1, 2, 3, 7, 64, 100_000])('JsonDocuments in chunks of %i bytes', (chunkBytes) => {
  it.each(texts)('splits %s', (_, text, expected) => {
    expect(split(Buffer.from(text), chunkBytes)).toEqual(expected);
  });

  it.each([
    ['an open object', '{"a":1', 'in the middle'],
    ['an open string', '{"a":"b}', 'in the middle'],
    ['a list', '[{}]', 'want an object'],
    ['text between', '{} x {}', 'between'],
    ['a string between', '{} "a"', 'between'],
    ['a bracket too many', '{}}', 'too many'],
    ['deep nesting', `{"a":${'['.repeat(600)}`, 'deeper than 500'],
    ['a large document', `{${'"a":1,'.repeat(500)}}`, 'larger than 1000'],
  ])('refuses %s', (_, text, what) => {
    expect(() => split(Buffer.from(text), chunkBytes)).toThrow(what);
  });
});
