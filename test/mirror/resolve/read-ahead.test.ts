import { setTimeout as pause } from 'node:timers/promises';
import { expect, test } from 'vitest';
import { openReadAhead } from '../../../src/mirror/resolve/read-ahead.ts';
import { formatReference, parseReference } from '../../../src/oci/reference.ts';
import { type WorldManifest, worldImage, worldList } from '../../support/world-image.ts';

const NAME = 'registry.test/edge/lamp';
const AMD64 = worldImage(new Map([['name', 'lamp\n']]), 'amd64');
const ARM64 = worldImage(new Map([['name', 'lamp\n']]), 'arm64');
const LIST = worldList([AMD64, ARM64]);
const SERVED: readonly WorldManifest[] = [AMD64, ARM64, LIST];

/** A source of the manifests above that notes what it is asked, and fails as often as it is told. */
function openSource(failures = 0) {
  const asked: string[] = [];
  let left = failures;
  const ahead = openReadAhead(
    {
      getManifest: async (reference) => {
        asked.push(formatReference(reference));
        if (left-- > 0) throw new Error('the line dropped');
        const found = SERVED.find(({ digest }) => digest === reference.digest);
        if (found === undefined) throw new Error(`no ${formatReference(reference)}`);
        return found;
      },
    },
    { architecture: 'amd64', parallel: 2 },
  );
  return { asked, ahead };
}

const at = (digest: string) => parseReference(`${NAME}@${digest}`);

test('what was foreseen is asked for once: a list with the image of the architecture', async () => {
  const { asked, ahead } = openSource();
  ahead.foresee(at(LIST.digest));
  await pause(20);
  expect(asked).toEqual([`${NAME}@${LIST.digest}`, `${NAME}@${AMD64.digest}`]);
  expect((await ahead.getManifest(at(LIST.digest))).digest).toBe(LIST.digest);
  expect((await ahead.getManifest(at(AMD64.digest))).digest).toBe(AMD64.digest);
  expect(asked).toHaveLength(2);
});

test('what was not foreseen is asked for', async () => {
  const { asked, ahead } = openSource();
  expect((await ahead.getManifest(at(ARM64.digest))).digest).toBe(ARM64.digest);
  expect(asked).toEqual([`${NAME}@${ARM64.digest}`]);
});

test('a foreseen image that fails is nobody’s fault, and asked for again when it is needed', async () => {
  const { asked, ahead } = openSource(1);
  ahead.foresee(at(AMD64.digest));
  await pause(20);
  expect((await ahead.getManifest(at(AMD64.digest))).digest).toBe(AMD64.digest);
  expect(asked).toHaveLength(2);
});

test('the failure of what is needed is told', async () => {
  const { ahead } = openSource();
  const missing = at(`sha256:${'0'.repeat(64)}`);
  ahead.foresee(missing);
  await expect(ahead.getManifest(missing)).rejects.toThrow('no registry.test/edge/lamp@sha256:000');
});
