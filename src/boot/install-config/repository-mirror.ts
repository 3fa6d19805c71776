/** A repository and where its images are found instead, both HOST[:PORT]/PATH without tag or digest. */
export interface RepositoryMirror {
  readonly source: string;
  readonly mirror: string;
}

// The name grammar of the distribution reference format: a host with a dot, a port or localhost, then path parts.
const HOST = '(?:localhost|[A-Za-z0-9-]+(?:\\.[A-Za-z0-9-]+)+|[A-Za-z0-9-]+(?=:))(?::[0-9]{1,5})?';
const PART = '[a-z0-9]+(?:(?:\\.|_|__|-+)[a-z0-9]+)*';
const REPOSITORY = new RegExp(`^${HOST}(?:/${PART})+$`);

/** Tells whether a text is the name of a repository with its host: what mirrors can be set for. */
export function isRepository(text: string): boolean {
  return text.length <= 255 && REPOSITORY.test(text);
}

/** Sorts mirrors by source and leaves out those that come twice, so that the same ones give the same bytes. */
export function sortedMirrors(mirrors: readonly RepositoryMirror[]): RepositoryMirror[] {
  const byKey = new Map(mirrors.map((each) => [`${each.source} ${each.mirror}`, each]));
  return [...byKey].sort(([a], [b]) => (a < b ? -1 : 1)).map(([, each]) => each);
}
