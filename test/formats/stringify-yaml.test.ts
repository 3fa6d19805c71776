import { expect, test } from 'vitest';
import { parse } from 'yaml';
import { stringifyYaml } from '../../src/formats/stringify-yaml.ts';

test('writes plain YAML that reads back the same', () => {
  const shared = { digest: 'sha256:00', size: 12 };
  const value = {
    version: '4.10',
    yes: 'yes',
    number: 'x'.repeat(200).replaceAll('x', 'word '),
    list: [shared, shared],
    empty: [],
    time: '2026-11-21',
    octal: '010',
    text: 'a\nb\n',
  };
  const text = stringifyYaml(value);
  expect(parse(text)).toEqual(value);
  expect(text).not.toMatch(/[&*]/);
  expect(text).toMatch(/^version: "4.10"\n/);
  expect(text.endsWith('\n')).toBe(true);
  expect(stringifyYaml(structuredClone(value))).toBe(text);
});
