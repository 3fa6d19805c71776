import { EdgefabError } from '../../errors.ts';

/** One of several processes that share a batch: `index` counts from 0. */
export interface Shard {
  readonly index: number;
  readonly of: number;
}

const MOST = 10_000;

/** Parses `I/N`, I from 0 to N-1 as Kubernetes counts the pods of an Indexed Job. Throws USAGE_INVALID. */
export function parseShard(text: string): Shard {
  const [, index = '', of = ''] = /^([0-9]{1,5})\/([0-9]{1,5})$/.exec(text) ?? [];
  const shard = { index: Number(index), of: Number(of) };
  if (index !== '' && shard.of >= 1 && shard.of <= MOST && shard.index < shard.of) return shard;
  throw new EdgefabError(
    `shard ${JSON.stringify(text.slice(0, 40))} is not INDEX/COUNT: want an index from 0 to COUNT-1, for example 0/4 to 3/4`,
    { code: 'USAGE_INVALID' },
  );
}

/** Picks what a shard builds: each item is in exactly one shard, and shards differ by one item at most. */
export function itemsOfShard<T>(items: readonly T[], { index, of }: Shard): T[] {
  return items.filter((_, at) => at % of === index);
}
