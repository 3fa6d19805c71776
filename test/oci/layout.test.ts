import { execFile } from 'node:child_process';
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { describe, expect, test } from 'vitest';
import { digestHex, digestOf } from '../../src/oci/digest.ts';
import {
  encodeLayoutIndex,
  encodeOciLayout,
  parseLayoutIndex,
  parseOciLayout,
  REF_NAME,
} from '../../src/oci/layout.ts';
import { type Descriptor, MEDIA_TYPE } from '../../src/oci/manifest.ts';
import { blobsOf, makeImage } from '../support/made-image.ts';
import { haveTools } from '../support/tools.ts';

const run = promisify(execFile);
const noSkopeo = haveTools('skopeo') ? '' : ' (skipped: needs skopeo)';

const entry = (seed: string, name?: string): Descriptor => ({
  mediaType: MEDIA_TYPE.ociManifest,
  digest: digestOf(Buffer.from(seed)),
  sizeBytes: seed.length,
  ...(name === undefined ? {} : { annotations: { [REF_NAME]: name } }),
});

test('the same entries give the same bytes, whatever their order, each once', () => {
  const one: Descriptor = {
    ...entry('one', 'a'),
    platform: { os: 'linux', architecture: 'arm64', variant: 'v8' },
  };
  const two: Descriptor = { ...entry('two'), annotations: { z: '1', a: '2' } };
  const twoAgain: Descriptor = { ...entry('two'), annotations: { a: '2', z: '1' } };
  const bytes = encodeLayoutIndex({ manifests: [one, two, entry('three', 'B')] });
  expect(encodeLayoutIndex({ manifests: [entry('three', 'B'), twoAgain, one, two] })).toEqual(bytes);
  const read = parseLayoutIndex(bytes, 'index.json');
  expect(read.manifests).toHaveLength(3);
  expect(read.manifests).toEqual(expect.arrayContaining([one, two, entry('three', 'B')]));
  expect(encodeLayoutIndex(read)).toEqual(bytes);
});

test('the golden form of both files', () => {
  expect(encodeOciLayout().toString()).toBe('{"imageLayoutVersion":"1.0.0"}\n');
  expect(Buffer.from(encodeLayoutIndex({ manifests: [] })).toString()).toBe(
    `{\n  "schemaVersion": 2,\n  "mediaType": "${MEDIA_TYPE.ociIndex}",\n  "manifests": []\n}\n`,
  );
  expect(() => parseOciLayout(encodeOciLayout(), 'oci-layout')).not.toThrow();
});

test.each([
  ['no JSON', '{'],
  ['a list', '[]'],
  ['another version', '{"imageLayoutVersion":"2.0.0"}'],
  ['no version', '{}'],
])('refuses an oci-layout with %s', (_, text) => {
  expect(() => parseOciLayout(Buffer.from(text), '/x/oci-layout')).toThrow(
    expect.objectContaining({ code: 'LAYOUT_INVALID', place: { file: '/x/oci-layout' } }),
  );
});

test.each([
  ['no JSON', '{'],
  ['another schema', '{"schemaVersion":1,"manifests":[]}'],
  ['another type', `{"schemaVersion":2,"mediaType":"${MEDIA_TYPE.ociManifest}","manifests":[]}`],
  ['no manifests', '{"schemaVersion":2}'],
  ['a bad entry', '{"schemaVersion":2,"manifests":[{"mediaType":"x","digest":"y","size":1}]}'],
])('refuses an index.json with %s', (_, text) => {
  expect(() => parseLayoutIndex(Buffer.from(text), '/x/index.json')).toThrow(
    expect.objectContaining({ code: 'LAYOUT_INVALID', exitCode: 6 }),
  );
});

describe.skipIf(noSkopeo !== '')(`skopeo and layouts${noSkopeo}`, () => {
  test('reads ours and writes one that we read', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'edgefab-layout-'));
    try {
      const image = await makeImage({ seed: 'layout', layers: [{ seed: 'l', sizeBytes: 5000 }] });
      const ours = join(folder, 'ours');
      await mkdir(join(ours, 'blobs/sha256'), { recursive: true });
      for (const { digest, bytes } of [...blobsOf(image), { digest: image.digest, bytes: image.manifest }])
        await writeFile(join(ours, 'blobs/sha256', digestHex(digest)), bytes);
      const { digest, mediaType, manifest } = image;
      const annotations = { [REF_NAME]: 'v1' };
      const manifests = [{ mediaType, digest, sizeBytes: manifest.length, annotations }];
      await writeFile(join(ours, 'oci-layout'), encodeOciLayout());
      await writeFile(join(ours, 'index.json'), encodeLayoutIndex({ manifests }));
      const theirs = join(folder, 'theirs');
      await run('skopeo', ['--insecure-policy', 'copy', `oci:${ours}:v1`, `oci:${theirs}:v1`]);
      parseOciLayout(await readFile(join(theirs, 'oci-layout')), 'oci-layout');
      const read = parseLayoutIndex(await readFile(join(theirs, 'index.json')), 'index.json');
      expect(read.manifests).toMatchObject([{ digest, annotations }]);
    } finally {
      await rm(folder, { recursive: true });
    }
  });
});
