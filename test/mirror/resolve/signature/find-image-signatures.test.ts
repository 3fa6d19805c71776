import { describe, expect, it } from 'vitest';
import { EdgefabError } from '../../../../src/errors.ts';
import { findImageSignatures } from '../../../../src/mirror/resolve/signature/find-image-signatures.ts';
import { type Digest, digestHex, digestOf } from '../../../../src/oci/digest.ts';
import { MEDIA_TYPE } from '../../../../src/oci/manifest.ts';
import { formatReference, type ImageReference, parseReference } from '../../../../src/oci/reference.ts';

const IMAGE = parseReference('quay.io/ocp/release:4.21.0-x86_64');
const LIST = digestOf(Buffer.from('list'));
const CHILD = digestOf(Buffer.from('child'));
const BUNDLE = 'application/vnd.dev.sigstore.bundle.v0.3+json';

const manifest = (name: string) =>
  Buffer.from(
    JSON.stringify({
      schemaVersion: 2,
      mediaType: MEDIA_TYPE.ociManifest,
      config: {
        mediaType: 'application/vnd.oci.image.config.v1+json',
        digest: digestOf(Buffer.from(name)),
        size: 1,
      },
      layers: [],
    }),
  );
const referrers = (...entries: readonly (readonly [name: string, artifactType?: string])[]) =>
  Buffer.from(
    JSON.stringify({
      schemaVersion: 2,
      mediaType: MEDIA_TYPE.ociIndex,
      manifests: entries.map(([name, artifactType]) => ({
        mediaType: MEDIA_TYPE.ociManifest,
        digest: digestOf(manifest(name)),
        size: manifest(name).length,
        artifactType,
      })),
    }),
  );
const sigTag = (digest: Digest) => `sha256-${digestHex(digest)}.sig`;

/** A repository of tags, and of referrers where it has that API. */
function repository(tags: Record<string, Buffer>, byReferrer?: Record<string, Buffer>) {
  const asked: string[] = [];
  return {
    asked,
    getManifest: async (reference: ImageReference) => {
      asked.push(formatReference(reference));
      const bytes = tags[reference.tag ?? ''];
      if (bytes === undefined) throw new EdgefabError('no such manifest', { code: 'MANIFEST_UNKNOWN' });
      return { bytes, mediaType: MEDIA_TYPE.ociManifest, digest: digestOf(bytes) };
    },
    ...(byReferrer === undefined
      ? {}
      : { getReferrers: async (_: ImageReference, digest: Digest) => byReferrer[digest] ?? referrers() }),
  };
}

describe('findImageSignatures', () => {
  it('finds the tags of list and child, under the image’s own repository', async () => {
    const source = repository({ [sigTag(LIST)]: manifest('a'), [sigTag(CHILD)]: manifest('b') });
    const found = await findImageSignatures(IMAGE, [LIST, CHILD, LIST], source);
    const common = { mediaType: MEDIA_TYPE.ociManifest, sizeBytes: manifest('a').length };
    const expected = [
      { ...common, subject: LIST, digest: digestOf(manifest('a')), tag: sigTag(LIST) },
      { ...common, subject: CHILD, digest: digestOf(manifest('b')), tag: sigTag(CHILD) },
    ].sort((a, b) => (a.subject < b.subject ? -1 : 1));
    expect(found).toEqual(expected);
    expect(source.asked).toContain(`quay.io/ocp/release:${sigTag(CHILD)}`);
    expect(new Set(source.asked).size).toBe(source.asked.length);
  });

  it.each([
    ['the referrers API', (index: Buffer) => repository({}, { [CHILD]: index })],
    [
      'the referrers tag of registries without it',
      (index: Buffer) => repository({ [`sha256-${digestHex(CHILD)}`]: index }),
    ],
  ])('takes signatures, and no other artifacts, from %s', async (_name, open) => {
    const index = referrers(
      ['bundle', BUNDLE],
      ['cosign', 'application/vnd.dev.cosign.artifact.sig.v1+json'],
      ['sbom', 'application/spdx+json'],
      ['attestation', 'application/vnd.in-toto+json'],
      ['plain'],
    );
    const found = await findImageSignatures(IMAGE, [CHILD], open(index));
    expect(found.map(({ digest, tag }) => [digest, tag])).toEqual(
      ['bundle', 'cosign'].map((name) => [digestOf(manifest(name)), undefined]).sort(),
    );
  });

  it('keeps the tag of a signature that is found both ways', async () => {
    const both = repository({ [sigTag(CHILD)]: manifest('a') }, { [CHILD]: referrers(['a', BUNDLE]) });
    expect(await findImageSignatures(IMAGE, [CHILD], both)).toMatchObject([{ tag: sigTag(CHILD) }]);
  });

  it('finds nothing where nothing is', async () => {
    expect(await findImageSignatures(IMAGE, [LIST, CHILD], repository({}))).toEqual([]);
    expect(await findImageSignatures(IMAGE, [LIST], repository({}, {}))).toEqual([]);
    expect(await findImageSignatures(IMAGE, [], repository({}))).toEqual([]);
  });

  it.each<[string, Record<string, Buffer>, Record<string, Buffer> | undefined]>([
    ['a signature tag that is no manifest', { [sigTag(CHILD)]: Buffer.from('{}') }, undefined],
    ['referrers that are not JSON', {}, { [CHILD]: Buffer.from('<html>') }],
    ['referrers that are no index', {}, { [CHILD]: Buffer.from('{"manifests":{}}') }],
    [
      'a referrer without a digest',
      {},
      { [CHILD]: Buffer.from(referrers(['a', BUNDLE]).toString().replace('sha256:', 'md5:')) },
    ],
    [
      'a thousand signatures',
      {},
      { [CHILD]: referrers(...Array.from({ length: 1000 }, (_, at) => [`${at}`, BUNDLE] as const)) },
    ],
  ])('refuses %s', async (_name, tags, byReferrer) => {
    const found = findImageSignatures(IMAGE, [CHILD], repository(tags, byReferrer));
    await expect(found).rejects.toMatchObject({ code: 'MANIFEST_INVALID' });
  });

  it('passes on that the registry cannot be asked', async () => {
    const down = {
      getManifest: () => Promise.reject(new EdgefabError('down', { code: 'REGISTRY_UNREACHABLE' })),
    };
    await expect(findImageSignatures(IMAGE, [CHILD], down)).rejects.toMatchObject({
      code: 'REGISTRY_UNREACHABLE',
    });
  });
});
