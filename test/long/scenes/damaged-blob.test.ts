import { readFileSync, writeFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { storePaths } from '../../../src/mirror/store/store-paths.ts';
import { parseDigest } from '../../../src/oci/digest.ts';
import { makeLabSite } from '../../lab/lab-site.ts';
import type { LabStock } from '../../lab/lab-stock.ts';
import { labIso } from '../../lab/live-lab.ts';
import { FEW_IMAGES } from './installed-node.ts';
import { canRehearse, expectImages, rehearse, SCENE_MS, whyNoScene } from './scene.ts';

/** Turns one bit of the layer that only this component has. */
function damage(cache: string, { components }: LabStock, name: string): void {
  const blob = (digest: string): string => storePaths.blob(cache, parseDigest(digest));
  const reference = components.get(name) ?? '';
  const manifest = JSON.parse(readFileSync(blob(reference.slice(reference.indexOf('@') + 1)), 'utf8')) as {
    layers: { digest: string }[];
  };
  const path = blob(manifest.layers.at(-1)?.digest ?? '');
  const bytes = readFileSync(path);
  bytes.writeUInt8(bytes.readUInt8(bytes.length >> 1) ^ 1, bytes.length >> 1);
  writeFileSync(path, bytes);
}

describe.skipIf(!canRehearse)(
  `scene: 4.13, registry mode, a cache disk with one damaged blob${whyNoScene}`,
  () => {
    test(
      'the rehearsal fails, and names the image; all else is there, and nothing comes from outside',
      async () => {
        const site = await makeLabSite({
          line: '4.13',
          version: '4.13.1',
          liveIso: await labIso(),
          imageNames: ['etcd', ...FEW_IMAGES],
          damage: (cache, stock) => damage(cache, stock, 'etcd'),
        });
        const scene = await rehearse(site);
        expect(scene.status).toBe(10);
        expect(scene.rehearsal.verdict).toBe('failed');
        const reference = site.stock.components.get('etcd') ?? '';
        const bad = scene.rehearsal.checks.filter(({ state }) => state !== 'good');
        expect(bad).toMatchObject([{ state: 'failed', detail: expect.stringContaining(reference) }]);
        expect(scene.rehearsal.payloadBytes).toBe(0);
        expectImages(scene, site, ['pod', ...FEW_IMAGES]);
        // Loudly: in the talk, and once more in the error it ends with.
        expect(
          scene.stderr.match(/live: image release 4\.13\.1: etcd, .*Digest did not match/g),
        ).toHaveLength(1);
        expect(
          scene.stderr.match(/failed: image release 4\.13\.1: etcd, .*Digest did not match/g),
        ).toHaveLength(1);
      },
      SCENE_MS,
    );
  },
);
