import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { keepRehearsal, type RehearsalEntry } from '../../../src/factory/rehearse/keep-rehearsal.ts';
import type { Rehearsal } from '../../../src/factory/rehearse/rehearsal.ts';
import { realHost } from '../../../src/host/real-host.ts';
import { tempFolder } from '../../support/temp-folder.ts';

const BUILD = 'b'.repeat(64);

const REHEARSAL: Rehearsal = {
  site: 'bip',
  buildId: BUILD,
  endedAt: '2026-01-01T00:00:00.000Z',
  writer: 'edgefab/1.2.3',
  verdict: 'failed',
  firmware: 'uefi',
  accelerator: 'kvm',
  memoryMiB: 16_384,
  network: 'no-route',
  clock: '2000-01-01T00:00:00.000Z',
  seconds: 812.5,
  phases: [{ phase: 'live', seconds: 812.5 }],
  checks: [{ phase: 'live', name: 'host name', state: 'failed', detail: 'want bip, got bop', seconds: 90 }],
  timeline: [],
  attempts: [],
  payloadBytes: 0,
  notes: [],
  consoleLog: '/out/bip/rehearsal/console.log',
};

function withReceipt(receipt: unknown): { iso: string; held: () => { rehearsals?: RehearsalEntry[] } } {
  const folder = tempFolder();
  const file = join(folder, 'receipt.json');
  writeFileSync(file, JSON.stringify(receipt));
  return {
    iso: join(folder, 'bip.iso'),
    held: () => JSON.parse(readFileSync(file, 'utf8')) as { rehearsals?: RehearsalEntry[] },
  };
}

const RECEIPT = { buildId: BUILD, iso: { file: 'bip.iso' }, sticks: ['one'], later: true };

test('a receipt tells of a rehearsal what was looked at, and not in which words or files', async () => {
  const { iso, held } = withReceipt(RECEIPT);
  expect(await keepRehearsal(iso, REHEARSAL, realHost)).toBe(join(iso, '..', 'receipt.json'));
  const { site: _site, timeline: _timeline, attempts: _attempts, ...more } = REHEARSAL;
  const { notes: _notes, consoleLog: _log, ...entry } = more;
  expect(held()).toEqual({
    ...RECEIPT,
    rehearsals: [{ ...entry, checks: [{ phase: 'live', name: 'host name', state: 'failed' }] }],
  });
});

test('the last ten stay', async () => {
  const { iso, held } = withReceipt(RECEIPT);
  for (let seconds = 1; seconds <= 12; seconds += 1)
    await keepRehearsal(iso, { ...REHEARSAL, seconds }, realHost);
  expect(held().rehearsals?.map(({ seconds }) => seconds)).toEqual([3, 4, 5, 6, 7, 8, 9, 10, 11, 12]);
});

test('the receipt of a site that was built again meanwhile is left alone', async () => {
  const receipt = { ...RECEIPT, buildId: 'c'.repeat(64) };
  const { iso, held } = withReceipt(receipt);
  expect(await keepRehearsal(iso, REHEARSAL, realHost)).toBeUndefined();
  expect(held()).toEqual(receipt);
});
