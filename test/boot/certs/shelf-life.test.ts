import { describe, expect, test } from 'vitest';
import { assertShelfLife, daysAndHours, shelfLifeOf } from '../../../src/boot/certs/shelf-life.ts';
import type { EdgefabError } from '../../../src/errors.ts';
import { bipIgnition } from '../../support/bip-ignition.ts';
import { DAY_MS, installerFiles, MADE_AT } from '../../support/made-pki.ts';

const stock = bipIgnition({ extraFiles: installerFiles({ signers: 'P-256 SEC1' }) });
const HOUR_MS = 3_600_000;
const after = (ms: number): Date => new Date(MADE_AT.getTime() + ms);

test.each([
  ['at once, 7 days are wanted', after(0), undefined, 'short'],
  ['at once, a day is enough', after(0), DAY_MS, 'enough'],
  ['an hour later it is not', after(HOUR_MS), DAY_MS, 'short'],
  ['at the very second', after(DAY_MS), 1, 'ended'],
  ['days later', after(3 * DAY_MS), DAY_MS, 'ended'],
])('a stock config: %s', (_name, now, shelfLifeMs, state) => {
  const life = shelfLifeOf(stock, { now, shelfLifeMs });
  expect(life.state).toBe(state);
  const run = (): unknown => assertShelfLife(stock, { now, shelfLifeMs });
  if (state === 'enough') expect(run()).toMatchObject({ notAfter: after(DAY_MS) });
  else expect(run).toThrow(state === 'ended' ? / ended at / : / ends at /);
});

test('the error names the certificate, the times and the remedy', () => {
  let error: EdgefabError | undefined;
  try {
    assertShelfLife(stock, { now: after(HOUR_MS) });
  } catch (thrown) {
    error = thrown as EdgefabError;
  }
  expect(error).toMatchObject({ code: 'CERTIFICATE_HORIZON', exitCode: 4, place: { file: 'made-up.ign' } });
  expect(error?.message).toContain(
    'O=openshift, CN=aggregator-ca in /opt/openshift/tls/aggregator-ca.crt ends at 2026-11-02T00:00:00.000Z, in 23 h; want a shelf life of 7 d',
  );
  expect(error?.suggestions[0]).toContain('certificates.validFor');
});

test('a config without certificates has no end', () => {
  expect(assertShelfLife(bipIgnition(), { now: MADE_AT })).toBeUndefined();
});

describe('daysAndHours', () => {
  test.each([
    [0, '0 h'],
    [HOUR_MS * 23.9, '23 h'],
    [DAY_MS, '1 d'],
    [DAY_MS * 6.99, '6 d 23 h'],
    [-DAY_MS * 2, '-2 d'],
  ])('%d is %s', (ms, want) => {
    expect(daysAndHours(ms)).toBe(want);
  });
});
