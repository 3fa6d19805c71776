import { EdgefabError } from '../errors.ts';
import type { Ask } from './asker.ts';
import type { Digest } from './digest.ts';
import { MAX_MANIFEST_BYTES, MEDIA_TYPE } from './manifest.ts';
import { type ImageReference, isTag, repositoryOf } from './reference.ts';
import type { RegistryEndpoint } from './registries-conf.ts';
import { viaContract } from './via-contract.ts';

const MAX_TAGS_BYTES = 8 * 1024 * 1024;
const TAGS_A_PAGE = 1000;
const MAX_TAG_PAGES = 1000;
const MAX_REFERRER_PAGES = 100;
const MAX_REFERRERS = 10_000;

/** The query of the next page (distribution-spec, "Listing Tags" and "Listing Referrers"); paths never change. */
function nextQuery(link: string | undefined): Record<string, string> | undefined {
  const target = /<([^>]{1,2000})>\s*;\s*rel="?next"?/i.exec(link ?? '')?.[1];
  if (target === undefined || !URL.canParse(target, 'http://page/')) return undefined;
  return Object.fromEntries(new URL(target, 'http://page/').searchParams);
}

/** Lists a repository's tags at one endpoint, all pages. */
export async function listTagsAt(
  ask: Ask,
  { reference, insecure }: RegistryEndpoint,
  signal: AbortSignal | undefined,
): Promise<string[]> {
  const what = `the tags of ${repositoryOf(reference)}`;
  const tags = new Set<string>();
  let last: string | undefined;
  for (let page = 0; page < MAX_TAG_PAGES; page += 1) {
    const query = { n: TAGS_A_PAGE, ...(last === undefined ? {} : { last }) };
    let found: string[] = [];
    const answer = await ask({
      reference,
      insecure,
      what,
      missing: 'MANIFEST_UNKNOWN',
      accepts: [200],
      signal,
      send: viaContract(MAX_TAGS_BYTES, async (client) => {
        const listed = await client.tags({ params: { name: reference.path }, query });
        if (listed.status === 200) found = listed.body.tags ?? [];
      }),
    });
    for (const tag of found) if (isTag(tag)) tags.add(tag);
    const next = nextQuery(answer.header('link'))?.last;
    if (next === undefined || !isTag(next) || next === last) break;
    last = next;
  }
  return [...tags];
}

/** The statuses by which registries without the referrers API refuse its path; the specification has 404. */
const NO_SUCH_API: readonly number[] = [400, 404, 405, 501];

/** A mirror's answer that there is nothing: the next place may know more. */
function nothingThere(reference: ImageReference, digest: Digest): EdgefabError {
  return new EdgefabError(`${repositoryOf(reference)} names no referrers of ${digest}`, {
    code: 'MANIFEST_UNKNOWN',
    place: { image: repositoryOf(reference) },
  });
}

/**
 * Lists what refers to a manifest at one endpoint, all pages as one image index; undefined where there is no
 * such API. A mirror that knows of nothing throws MANIFEST_UNKNOWN instead.
 */
export async function fetchReferrersAt(
  ask: Ask,
  { reference, insecure, mirror }: RegistryEndpoint,
  digest: Digest,
  signal: AbortSignal | undefined,
): Promise<Uint8Array | undefined> {
  const what = `the referrers of ${repositoryOf(reference)}@${digest}`;
  const manifests: unknown[] = [];
  const asked = new Set<string>();
  let query: Record<string, string> = {};
  for (let page = 0; page < MAX_REFERRER_PAGES; page += 1) {
    asked.add(JSON.stringify(query));
    const answer = await ask({
      reference,
      insecure,
      what,
      missing: 'MANIFEST_UNKNOWN',
      accepts: [200, ...NO_SUCH_API],
      signal,
      send: viaContract(MAX_MANIFEST_BYTES, async (client) => {
        const listed = await client.referrers({ params: { name: reference.path, digest }, query });
        if (listed.status === 200) manifests.push(...listed.body.manifests);
      }),
    });
    if (answer.status !== 200) {
      if (mirror) throw nothingThere(reference, digest);
      return undefined;
    }
    if (manifests.length > MAX_REFERRERS)
      throw new EdgefabError(`${what} are ${manifests.length}, want at most ${MAX_REFERRERS}`, {
        code: 'REGISTRY_REFUSED',
        place: { image: repositoryOf(reference) },
      });
    const next = nextQuery(answer.header('link'));
    if (next === undefined || asked.has(JSON.stringify(next))) break;
    query = next;
  }
  if (mirror && manifests.length === 0) throw nothingThere(reference, digest);
  return Buffer.from(JSON.stringify({ schemaVersion: 2, mediaType: MEDIA_TYPE.ociIndex, manifests }));
}
