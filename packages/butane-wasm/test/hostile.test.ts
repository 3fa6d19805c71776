import { describe, expect, test } from 'vitest';
import { createButane } from '../src/butane.ts';
import { localNames } from '../src/local-names.ts';
import { butaneProgram, hasWasm, NEEDS_BUTANE, NEEDS_WASM } from './engines.ts';

const FIFTY_MB = 'x'.repeat(50_000_000);
const plain = 'variant: fcos\nversion: 1.5.0\n';
const bomb = `variant: fcos\nversion: 1.5.0\na0: &a0 [x,x,x,x,x,x,x,x,x]\n${Array.from(
  { length: 11 },
  (_, i) => `a${i + 1}: &a${i + 1} [${Array(9).fill(`*a${i}`).join(',')}]\n`,
).join('')}`;
const mergeBomb = `a0: &a0 { variant: fcos }\n${Array.from(
  { length: 30 },
  (_, i) => `a${i + 1}: &a${i + 1} { <<: [${Array(9).fill(`*a${i}`).join(', ')}] }\n`,
).join('')}<<: *a30\nversion: 1.5.0\n`;
const deepYaml = `variant: fcos\nversion: 1.5.0\nx: ${'['.repeat(200_000)}`;

test.each([
  ['translate', (b: ReturnType<typeof createButane>) => b.translate(FIFTY_MB)],
  ['validate', (b: ReturnType<typeof createButane>) => b.validate(FIFTY_MB)],
  ['merge', (b: ReturnType<typeof createButane>) => b.merge('{}', FIFTY_MB)],
])('%s refuses 50 MB before an engine sees it', async (_name, call) => {
  await expect(call(createButane())).rejects.toMatchObject({ code: 'INPUT_TOO_LARGE' });
});

test('text that UTF-8 cannot hold is refused, not replaced', async () => {
  await expect(createButane().validate('{"a":"\ud800"}')).rejects.toMatchObject({ code: 'INPUT_INVALID' });
  await expect(createButane().translate('a: \udfff')).rejects.toMatchObject({ code: 'INPUT_INVALID' });
});

test('localNames neither expands aliases nor dies of deep nesting', () => {
  expect(localNames(bomb)).toEqual([]);
  expect(localNames(`${bomb}local: *a11`)).toEqual([]);
  expect(localNames('local: &n [x, *n]')).toEqual(['x']);
  const list = `n: &n [${'x,'.repeat(20_000)}]\na:\n`;
  expect(localNames(`${list}${'- local: *n\n'.repeat(20_000)}`)).toEqual(['x']);
  expect(localNames(deepYaml)).toEqual([]);
});

const engines = [
  { engine: `the WebAssembly${NEEDS_WASM}`, skip: !hasWasm, settings: {} },
  {
    engine: `the fallback program${NEEDS_BUTANE}`,
    skip: butaneProgram === undefined,
    settings: { wasmPath: '/nowhere/butane.wasm', env: { BUTANE: butaneProgram } },
  },
];

describe.each(engines)('hostile documents in $engine', ({ skip, settings }) => {
  const butane = createButane(settings);

  test.skipIf(skip)('an alias bomb ends with its keys unused', async () => {
    const { report } = await butane.translate(bomb, { filesDir: '.' });
    expect(report.entries).toHaveLength(12);
    expect(report.entries[0]).toMatchObject({ kind: 'warning', line: 3, message: 'unused key a0' });
  });

  test.skipIf(skip).each([
    ['an alias bomb of merged keys', mergeBomb],
    ['deep nesting', deepYaml],
    ['deep nesting, closed', `${deepYaml}${']'.repeat(200_000)}`],
    ['a deep mapping', `variant: fcos\nversion: 1.5.0\nx: ${'{a: '.repeat(50_000)}`],
  ])('%s is refused', async (_name, document) => {
    await expect(butane.translate(document, { filesDir: '.' })).rejects.toMatchObject({
      code: 'BUTANE_FAILED',
    });
    expect(await butane.translate(plain)).toMatchObject({ report: { isFatal: false } });
  });
});

describe.skipIf(!hasWasm)(`a document that takes too long${NEEDS_WASM}`, () => {
  test('is stopped, and the next request works', async () => {
    const butane = createButane({ timeoutMs: 2_000 });
    await butane.translate(plain);
    const files = Array.from({ length: 60_000 }, (_, i) => `    - path: /f${i}\n`).join('');
    await expect(butane.translate(`${plain}storage:\n  files:\n${files}`)).rejects.toMatchObject({
      code: 'BUTANE_TIMEOUT',
    });
    expect(await butane.translate(plain)).toMatchObject({ report: { isFatal: false } });
  });
});

describe.skipIf(!hasWasm)(`hostile configs${NEEDS_WASM}`, () => {
  test('deep nesting is an error of the config', async () => {
    const { report } = await createButane().validate('['.repeat(1_000_000));
    expect(report.isFatal).toBe(true);
  });

  test('a config that takes too long is stopped, and the next request works', async () => {
    const butane = createButane({ timeoutMs: 2_000 });
    await butane.validate('{"ignition":{"version":"3.2.0"}}');
    const files = Array.from({ length: 60_000 }, (_, i) => ({
      path: `/f${i}`,
      contents: { source: `data:,${'x'.repeat(200)}` },
    }));
    const slow = JSON.stringify({ ignition: { version: '3.2.0' }, storage: { files } });
    await expect(butane.validate(slow)).rejects.toMatchObject({ code: 'IGNITION_TIMEOUT' });
    expect(await butane.validate('{"ignition":{"version":"3.2.0"}}')).toMatchObject({
      report: { isFatal: false },
    });
  });
});
