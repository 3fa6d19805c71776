import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { loadReceipt } from '../../../src/factory/receipt/load-receipt.ts';
import type { Receipt } from '../../../src/factory/receipt/receipt.ts';
import { tempFolder } from '../../support/temp-folder.ts';

const SHA256 = 'a'.repeat(64);

/** Of a site that has nothing of what a receipt may say null to. */
const RECEIPT: Receipt = {
  apiVersion: 'edgefab.io/v1',
  kind: 'Receipt',
  site: 'bip',
  buildId: SHA256,
  buildTime: '2026-11-22T00:00:00.000Z',
  writer: 'edgefab/0.1.0',
  cacheId: 'abc',
  inputs: {
    lock: 'abc',
    imageSet: `sha256:${SHA256}`,
    ignition: SHA256,
    liveIso: { file: 'live.iso', volumeId: 'rhcos', sizeBytes: 1, sha256: SHA256 },
    overlays: [],
    manifests: [],
    registryCa: null,
  },
  iso: { file: 'bip.iso', sizeBytes: 1, sha256: SHA256, kargs: '', kargsBudget: null },
  network: { way: 'none', files: [] },
  patch: [],
  certificates: null,
  coverage: { images: 1, allowed: [] },
  warnings: [],
  sticks: [
    {
      serial: null,
      model: null,
      byId: null,
      sizeBytes: 1,
      isoSha256: SHA256,
      writtenAt: '2026-11-22T00:00:00.000Z',
      readBack: 'equal',
    },
  ],
};

test('what a receipt says null to is read back as null', async () => {
  const path = join(tempFolder(), 'receipt.json');
  writeFileSync(path, JSON.stringify(RECEIPT, undefined, 2));
  expect(await loadReceipt(path)).toEqual(RECEIPT);
});

test('null is not a value where a receipt must have one', async () => {
  const path = join(tempFolder(), 'receipt.json');
  writeFileSync(path, JSON.stringify({ ...RECEIPT, cacheId: null }, undefined, 2));
  await expect(loadReceipt(path)).rejects.toThrow(/receipt\.json:\d+:\d+ +cacheId: /);
});
