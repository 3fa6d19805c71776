import { randomBytes } from 'node:crypto';
import { mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { keptBuildTime } from '../../src/factory/build-time.ts';
import { tempFolder } from '../support/temp-folder.ts';

const at = (iso: string, env: Record<string, string> = {}) => ({
  now: () => new Date(iso),
  env,
  randomBytes: (size: number) => randomBytes(size),
});

describe('the time sites are built at', () => {
  test('is fixed by the first build, in whole seconds, and kept', async () => {
    const out = join(tempFolder(), 'out');
    const first = await keptBuildTime(out, false, at('2026-11-21T10:00:00.750Z'));
    expect(first.toISOString()).toBe('2026-11-21T10:00:00.000Z');
    expect(await keptBuildTime(out, false, at('2027-01-01T00:00:00Z'))).toEqual(first);
    const renewed = await keptBuildTime(out, true, at('2027-01-01T00:00:00Z'));
    expect(renewed.toISOString()).toBe('2027-01-01T00:00:00.000Z');
    await keptBuildTime(out, true, at('2026-11-21T10:00:00Z'));
    expect(statSync(join(out, 'batch.json')).mode & 0o777).toBe(0o600);
    expect(JSON.parse(readFileSync(join(out, 'batch.json'), 'utf8'))).toMatchObject({
      kind: 'Batch',
      buildTime: '2026-11-21T10:00:00.000Z',
    });
  });

  test('is one, whoever of several that begin at once comes first', async () => {
    const out = join(tempFolder(), 'out');
    const hosts = Array.from({ length: 8 }, (_, second) => at(`2026-11-21T10:00:0${second}Z`));
    const times = await Promise.all(hosts.map((host) => keptBuildTime(out, false, host)));
    expect(new Set(times.map((time) => time.getTime())).size).toBe(1);
    expect(await keptBuildTime(out, false, at('2027-01-01T00:00:00Z'))).toEqual(times[0]);
    expect(readdirSync(out)).toEqual(['batch.json']);
  });

  test('is that of SOURCE_DATE_EPOCH where it is set, and then not kept', async () => {
    const out = tempFolder();
    const time = await keptBuildTime(
      out,
      false,
      at('2026-11-21T10:00:00Z', { SOURCE_DATE_EPOCH: '1700000000' }),
    );
    expect(time.getTime()).toBe(1_700_000_000_000);
    expect((await keptBuildTime(out, false, at('2026-11-21T10:00:00Z'))).toISOString()).toBe(
      '2026-11-21T10:00:00.000Z',
    );
  });

  test.each(['yesterday', '-1', '1e9', '1.5'])('refuses SOURCE_DATE_EPOCH=%s', async (text) => {
    await expect(
      keptBuildTime(tempFolder(), false, at('2026-11-21T10:00:00Z', { SOURCE_DATE_EPOCH: text })),
    ).rejects.toMatchObject({ code: 'USAGE_INVALID', message: expect.stringContaining(text) });
  });

  test('a damaged batch.json is told, not replaced', async () => {
    const out = tempFolder();
    mkdirSync(out, { recursive: true });
    writeFileSync(join(out, 'batch.json'), '{"kind":"Batch"}');
    await expect(keptBuildTime(out, false, at('2026-11-21T10:00:00Z'))).rejects.toMatchObject({
      code: 'FACTORY_INVALID',
    });
    expect(readFileSync(join(out, 'batch.json'), 'utf8')).toBe('{"kind":"Batch"}');
  });
});
