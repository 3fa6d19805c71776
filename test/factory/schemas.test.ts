import { readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { schemaFiles } from '../../scripts/schema-files.ts';

const files = schemaFiles();

/** Of the small ones; a schema that lost its maps would pass unseen. */
const FEWEST_MAPS: Readonly<Record<string, number>> = {
  'lock.schema.json': 6,
  'cache.schema.json': 1,
  'receipt.schema.json': 8,
  'batch-report.schema.json': 5,
};

test.each(files)('schemas/$file is current (node scripts/generate-schemas.ts)', ({ file, text }) => {
  expect(readFileSync(new URL(`../../schemas/${file}`, import.meta.url), 'utf8')).toBe(text);
});

interface JsonSchema {
  readonly type?: string;
  readonly properties?: Readonly<Record<string, JsonSchema>>;
  readonly required?: readonly string[];
  readonly additionalProperties?: unknown;
  readonly items?: JsonSchema;
  readonly anyOf?: readonly JsonSchema[];
  readonly enum?: readonly string[];
  readonly pattern?: string;
}

function parse(file: string): JsonSchema {
  return JSON.parse(files.find((item) => item.file === file)?.text ?? '') as JsonSchema;
}

function objects(schema: JsonSchema): JsonSchema[] {
  const below = [
    ...Object.values(schema.properties ?? {}),
    ...(schema.items ? [schema.items] : []),
    ...(schema.anyOf ?? []),
  ];
  return [...(schema.properties ? [schema] : []), ...below.flatMap(objects)];
}

describe.each(files)('$file', ({ file }) => {
  test('refuses unknown keys in every map', () => {
    const maps = objects(parse(file));
    expect(maps.length).toBeGreaterThanOrEqual(FEWEST_MAPS[file] ?? 10);
    expect(maps.every(({ additionalProperties }) => additionalProperties === false)).toBe(true);
  });
});

test('the factory schema has the keys of the contract', () => {
  const { properties = {}, required } = parse('factory.schema.json');
  expect(required).toEqual(['apiVersion', 'kind', 'release', 'sites']);
  expect(Object.keys(properties).sort()).toEqual(
    'apiVersion defaults imageSet installConfig kind media paths pullSecret registry release signingKey sites sshKeys'.split(
      ' ',
    ),
  );
  const site = properties.sites?.anyOf?.[0]?.items;
  expect(site?.required).toEqual(['name']);
  expect(Object.keys(site?.properties ?? {}).sort()).toEqual(
    'cache certificates clusterName dns domain hostname ignition installDisk kargs machine manifests name network ntp overlays'.split(
      ' ',
    ),
  );
  expect(site?.properties?.cache?.properties?.mode?.enum).toEqual(['registry', 'preload']);
  const { name, ...keys } = site?.properties ?? {};
  expect(name).toBeDefined();
  expect(properties.defaults?.properties).toEqual(keys);
});

test('the image set schema has both versions', () => {
  const { anyOf = [] } = parse('imageset.schema.json');
  expect(anyOf.map(({ properties }) => JSON.stringify(properties?.apiVersion))).toEqual([
    '{"type":"string","const":"mirror.openshift.io/v1alpha2"}',
    '{"type":"string","const":"mirror.openshift.io/v2alpha1"}',
  ]);
});

test('the lock schema says what a digest looks like', () => {
  const image = parse('lock.schema.json').properties?.images?.items;
  expect(image?.properties?.digest?.pattern).toBe('^sha256:[0-9a-f]{64}$');
  expect(image?.required).not.toContain('mirrorNames');
});
