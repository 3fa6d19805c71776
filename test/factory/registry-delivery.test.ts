import { describe, expect, test } from 'vitest';
import { catalogsOf, registryContent } from '../../src/factory/registry-delivery.ts';
import type { Lock, LockedImage } from '../../src/mirror/resolve/lock.ts';
import { digestFor, lockedImage } from '../support/locked-image.ts';

function lockOf(images: readonly LockedImage[]): Lock {
  return { arch: 'x86_64', inputs: { imageSet: digestFor('set'), wanted: digestFor('wanted') }, images };
}

const TOOL = lockedImage('docker.io/library/registry', { blob: 1 }, { tag: '2.8.3', roles: ['tool'] });

describe('what a registry on the machine is told of a lock', () => {
  test('each repository once, by the name the registry serves it under', () => {
    const lock = lockOf([
      TOOL,
      lockedImage('quay.io/b/c', { blob: 1 }, { roles: ['release'] }),
      lockedImage('quay.io/b/c', { blob: 1 }, { roles: ['bootstrap'], digest: digestFor('other') }),
      lockedImage('registry.test:5000/a', { blob: 1 }, { roles: ['additional'] }),
    ]);
    expect(registryContent(lock, () => false).repositories).toEqual([
      { source: 'docker.io/library/registry', mirror: 'localhost:22626/docker.io/library/registry' },
      { source: 'quay.io/b/c', mirror: 'localhost:22626/quay.io/b/c' },
      { source: 'registry.test:5000/a', mirror: 'localhost:22626/registry.test__5000/a' },
    ]);
  });

  test('the image that serves, by the digest of its manifest and the view it is loaded from', () => {
    const { tool } = registryContent(lockOf([TOOL]), () => false);
    expect(tool.reference).toBe(`docker.io/library/registry@${TOOL.archDigest}`);
    expect(tool.view).toBe(
      `views/dir/docker.io/library/registry@${TOOL.archDigest.replace('sha256:', 'sha256-')}`,
    );
  });

  test('by tag only what the user wants by tag: no release, no tool, no signature, no catalog', () => {
    const additional = lockedImage('quay.io/x/y', { blob: 1 }, { tag: 'v1', roles: ['additional'] });
    const catalog = lockedImage(
      'registry.test/catalog',
      { blob: 1 },
      { tag: 'v4.18', roles: ['operator', 'additional'], digest: digestFor('catalog') },
    );
    const signature = lockedImage(
      'quay.io/x/y',
      { blob: 1 },
      { tag: 'sha256-aa.sig', roles: ['additional'], digest: digestFor('signature') },
    );
    const signed = { ...additional, signatures: [signature.digest] };
    const release = lockedImage('quay.io/r', { blob: 1 }, { tag: '4.18', roles: ['release'] });
    const content = registryContent(
      lockOf([TOOL, signed, signature, catalog, release]),
      catalogsOf([
        {
          operators: [
            {
              catalog: 'registry.test/catalog:v4.18',
              full: false,
              skipDependencies: false,
              packages: [],
              place: { file: 'set.yaml' },
            },
          ],
        },
      ]),
    );
    expect(content.tagged).toEqual([{ reference: 'quay.io/x/y:v1', digest: additional.digest }]);
    expect(content.catalogs).toEqual([`registry.test/catalog@${catalog.digest}`]);
  });

  test('a lock without an image that could serve is refused, saying how to get one', () => {
    expect(() => registryContent(lockOf([]), () => false)).toThrow(
      expect.objectContaining({
        code: 'CACHE_INCOMPLETE',
        suggestions: expect.arrayContaining([expect.stringContaining('--registry-image')]),
      }),
    );
  });
});
