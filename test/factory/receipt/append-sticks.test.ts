import { execFile } from 'node:child_process';
import { chownSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { expect, test } from 'vitest';
import { appendSticks, assertReceipt, type StickEntry } from '../../../src/factory/receipt/append-sticks.ts';
import { realHost } from '../../../src/host/real-host.ts';
import { holdFile } from '../../../src/mirror/store/hold-file.ts';
import { tempFolder } from '../../support/temp-folder.ts';

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
  expect(await appendSticks(iso, [STICK], realHost)).toBe(file);
  expect(await appendSticks(iso, [{ ...STICK, serial: 'A2' }], realHost)).toBe(file);
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
  expect(await appendSticks(iso, [STICK], realHost)).toBeUndefined();
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

const SOURCE = fileURLToPath(new URL('../../../src/', import.meta.url));
const APPEND = `
  const [, source, iso, stick] = process.argv;
  const { appendSticks } = await import(source + 'factory/receipt/append-sticks.ts');
  const { realHost } = await import(source + 'host/real-host.ts');
  for (let turn = 0; turn < 5; turn += 1)
    await appendSticks(iso, [{ ...JSON.parse(stick), serial: process.pid + '-' + turn }], realHost);
`;

test('of several processes that add at once none loses what another added', async () => {
  const { iso, file } = beside(RECEIPT);
  const run = promisify(execFile);
  const processes = [1, 2, 3].map(() =>
    run(process.execPath, ['--input-type=module', '-e', APPEND, SOURCE, iso, JSON.stringify(STICK)]),
  );
  await Promise.all([
    ...processes,
    ...[1, 2, 3].map((each) => appendSticks(iso, [{ ...STICK, serial: `here-${each}` }], realHost)),
  ]);
  const { sticks } = JSON.parse(readFileSync(file, 'utf8')) as { sticks: readonly StickEntry[] };
  expect(new Set(sticks.map(({ serial }) => serial)).size).toBe(18);
});

test('a receipt that another keeps for itself is left alone', async () => {
  const { iso, file } = beside(RECEIPT);
  using held = await holdFile(join(dirname(iso), '.receipt.lock'));
  expect(held).toBeDefined();
  const added = appendSticks(iso, [STICK], { sleep: async () => undefined });
  await expect(added).rejects.toMatchObject({ code: 'SITE_BUSY' });
  expect(JSON.parse(readFileSync(file, 'utf8'))).toEqual(RECEIPT);
});

const isRoot = process.getuid?.() === 0;

test.skipIf(!isRoot)(
  `what root adds stays its owner's${isRoot ? '' : ' (SKIPPED: needs root)'}`,
  async () => {
    const { iso, file } = beside(RECEIPT);
    for (const path of [dirname(iso), file]) chownSync(path, 12_345, 12_345);
    await appendSticks(iso, [STICK], realHost);
    for (const path of [file, join(dirname(iso), '.receipt.lock')]) expect(statSync(path).uid).toBe(12_345);
  },
);
