import { mkdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { keptBuildTime } from '../../src/factory/build-time.ts';
import { tempFolder } from '../support/temp-folder.ts';

const at = (iso: string, env: Record<string, string> = {}) => ({ now: () => new Date(iso), env });

describe('the time sites are built at', () => {
  test('is fixed by the first build, in whole seconds, and kept', async () => {
    const out = join(tempFolder(), 'out');
    const first = await keptBuildTime(out, at('2026-11-21T10:00:00.750Z'));
    expect(first.toISOString()).toBe('2026-11-21T10:00:00.000Z');
    expect(await keptBuildTime(out, at('2027-01-01T00:00:00Z'))).toEqual(first);
    expect(statSync(join(out, 'batch.json')).mode & 0o777).toBe(0o600);
    expect(JSON.parse(readFileSync(join(out, 'batch.json'), 'utf8'))).toMatchObject({
      kind: 'Batch',
      buildTime: '2026-11-21T10:00:00.000Z',
    });
  });

  test('is that of SOURCE_DATE_EPOCH where it is set, and then not kept', async () => {
    const out = tempFolder();
    const time = await keptBuildTime(out, at('2026-11-21T10:00:00Z', { SOURCE_DATE_EPOCH: '1700000000' }));
    expect(time.getTime()).toBe(1_700_000_000_000);
    expect((await keptBuildTime(out, at('2026-11-21T10:00:00Z'))).toISOString()).toBe(
      '2026-11-21T10:00:00.000Z',
    );
  });

  test.each(['yesterday', '-1', '1e9', '1.5'])('refuses SOURCE_DATE_EPOCH=%s', async (text) => {
    await expect(
      keptBuildTime(tempFolder(), at('2026-11-21T10:00:00Z', { SOURCE_DATE_EPOCH: text })),
    ).rejects.toMatchObject({ code: 'USAGE_INVALID', message: expect.stringContaining(text) });
  });

  test('a damaged batch.json is told, not replaced', async () => {
    const out = tempFolder();
    mkdirSync(out, { recursive: true });
    writeFileSync(join(out, 'batch.json'), '{"kind":"Batch"}');
    await expect(keptBuildTime(out, at('2026-11-21T10:00:00Z'))).rejects.toMatchObject({
      code: 'FACTORY_INVALID',
    });
    expect(readFileSync(join(out, 'batch.json'), 'utf8')).toBe('{"kind":"Batch"}');
  });
});
