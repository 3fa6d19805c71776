import { execFile } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { describe, expect, test } from 'vitest';
import { makeImage, writeDirImage } from '../support/made-image.ts';
import { haveTools } from '../support/tools.ts';

const run = promisify(execFile);
const root = process.getuid?.() === 0;
const absent = haveTools('skopeo') && root ? '' : ' (skipped: needs skopeo and root)';

test('the same recipe gives the same image, and layers are shared between images', async () => {
  const layers = [{ seed: 'base', sizeBytes: 1000 }];
  const [one, again, other] = await Promise.all(['a', 'a', 'b'].map((seed) => makeImage({ seed, layers })));
  expect(again?.digest).toBe(one?.digest);
  expect(other?.digest).not.toBe(one?.digest);
  expect(other?.layers[0]?.digest).toBe(one?.layers[0]?.digest);
});

describe.skipIf(absent !== '')(`containers-storage${absent}`, () => {
  test.each(['oci', 'docker'] as const)('takes a made %s image under its digest', async (format) => {
    const folder = await mkdtemp(join(tmpdir(), 'edgefab-store-'));
    try {
      const layers = ['one', 'two'].map((seed) => ({ seed, sizeBytes: 20_000 }));
      const image = await makeImage({ seed: format, format, layers, files: { 'etc/hello': 'world' } });
      await writeDirImage(image, join(folder, 'image'));
      const store = `containers-storage:[vfs@${folder}/root+${folder}/run]`;
      const target = `${store}quay.io/org/app@${image.digest}`;
      await run('skopeo', ['--insecure-policy', 'copy', `dir:${folder}/image`, target]);
      const { stdout } = await run('skopeo', ['inspect', '--raw', target]);
      expect(stdout).toBe(image.manifest.toString());
    } finally {
      await rm(folder, { recursive: true });
    }
  });
});
