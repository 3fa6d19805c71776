import { describe, expect, test } from 'vitest';
import { createButane } from '../src/butane.ts';
import { localNames } from '../src/local-names.ts';
import { butaneProgram, hasWasm, NEEDS_BUTANE, NEEDS_WASM } from './engines.ts';

const FIFTY_MB = 'x'.repeat(50_000_000);
const bomb = `variant: fcos\nversion: 1.5.0\na0: &a0 [x,x,x,x,x,x,x,x,x]\n${Array.from(
  { length: 11 },
  (_, i) => `a${i + 1}: &a${i + 1} [${Array(9).fill(`*a${i}`).join(',')}]\n`,
).join('')}`;
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

test('localNames neither expands an alias bomb nor dies of deep nesting', () => {
  expect(localNames(bomb)).toEqual([]);
  expect(localNames(deepYaml)).toEqual([]);
});

describe.skipIf(butaneProgram === undefined)(`hostile documents${NEEDS_BUTANE}`, () => {
  const butane = createButane({ env: { BUTANE: butaneProgram } });

  test('an alias bomb ends', async () => {
    const outcome = await butane.translate(bomb, { filesDir: '.' }).catch((error: unknown) => error);
    expect(outcome).toHaveProperty('report');
  });

  test('deep nesting is refused', async () => {
    await expect(butane.translate(deepYaml, { filesDir: '.' })).rejects.toMatchObject({
      code: 'BUTANE_FAILED',
    });
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
