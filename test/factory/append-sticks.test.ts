import { readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { appendSticks, assertReceipt, type StickEntry } from '../../src/factory/append-sticks.ts';
import { tempFolder } from '../support/temp-folder.ts';

const STICK: StickEntry = {
  serial: 'A1',
  model: 'Ultra',
  byId: '/dev/disk/by-id/usb-Ultra_A1-0:0',
  sizeBytes: 64,
  isoSha256: 'ab',
  writtenAt: '2026-01-01T00:00:00.000Z',
  readBack: 'equal',
};

/** A folder with a receipt of these contents; returns the paths of its ISO and of the receipt. */
function beside(receipt: unknown): { iso: string; file: string } {
  const folder = tempFolder();
  const file = join(folder, 'receipt.json');
  if (receipt !== undefined)
    writeFileSync(file, typeof receipt === 'string' ? receipt : JSON.stringify(receipt));
  return { iso: join(folder, 'oslo.iso'), file };
}

const RECEIPT = { kind: 'Receipt', later: { new: [1] }, iso: { file: 'oslo.iso', sha256: 'ab', more: true } };

test('sticks are added, and all else is kept', async () => {
  const { iso, file } = beside(RECEIPT);
  expect(await appendSticks(iso, [STICK])).toBe(file);
  expect(await appendSticks(iso, [{ ...STICK, serial: 'A2' }])).toBe(file);
  expect(JSON.parse(readFileSync(file, 'utf8'))).toEqual({
    ...RECEIPT,
    sticks: [STICK, { ...STICK, serial: 'A2' }],
  });
  expect(statSync(file).mode & 0o777).toBe(0o644);
});

test.each([
  ['there is none', undefined],
  ['it is of another ISO', { ...RECEIPT, iso: { file: 'bergen.iso', sha256: 'cd' } }],
  ['it is no receipt', []],
  ['it names no ISO', { kind: 'Receipt' }],
])('without a receipt nothing is added: %s', async (_, receipt) => {
  const { iso } = beside(receipt);
  await assertReceipt(iso, 'ab');
  expect(await appendSticks(iso, [STICK])).toBeUndefined();
});

test('an ISO that is not the one of its receipt is refused', async () => {
  const { iso } = beside(RECEIPT);
  await assertReceipt(iso, 'ab');
  await expect(assertReceipt(iso, 'cd')).rejects.toMatchObject({ code: 'ISO_INVALID', exitCode: 3 });
});

test('a broken receipt is told before anything is written', async () => {
  const { iso } = beside('{"kind":');
  await expect(assertReceipt(iso, 'ab')).rejects.toMatchObject({ code: 'FILE_UNREADABLE' });
});
