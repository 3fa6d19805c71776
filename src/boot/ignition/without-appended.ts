import type { Ignition } from './ignition.ts';
import { replaceValue } from './json-edit.ts';
import { sameMeaning } from './json-reconcile.ts';
import { type JsonNode, memberOf } from './json-tree.ts';
import { parseIgnitionText } from './parse-ignition.ts';

type List = Extract<JsonNode, { kind: 'array' }>;

/** Tells whether a list holds the items of another one, one after another. */
function holdsRun(list: JsonNode | undefined, run: List): boolean {
  if (list?.kind !== 'array' || run.items.length === 0) return false;
  return list.items.some((_, start) =>
    run.items.every((item, index) => {
      const other = list.items[start + index];
      return other !== undefined && sameMeaning(item, other);
    }),
  );
}

/** The lists of a child that Ignition's merge puts behind the parent's, each with the parent's. */
function appendedLists(parent: Ignition, child: Ignition): { mine: List; theirs: JsonNode | undefined }[] {
  const pairs: [JsonNode | undefined, JsonNode | undefined][] = [
    ...child.files.map((file): [JsonNode | undefined, JsonNode | undefined] => [
      memberOf(file.node, 'append'),
      memberOf(parent.files.find((each) => each.path === file.path)?.node, 'append'),
    ]),
    [configMerge(child), configMerge(parent)],
  ];
  return pairs.flatMap(([mine, theirs]) => (mine?.kind === 'array' ? [{ mine, theirs }] : []));
}

function configMerge(ignition: Ignition): JsonNode | undefined {
  return memberOf(memberOf(memberOf(ignition.root, 'ignition'), 'config'), 'merge');
}

/**
 * Takes out of a child what it would append and the parent has already (`append` of files, `config.merge`):
 * Ignition's merge has no key for these lists and would append them again at each merge.
 */
export function withoutAppended(parent: Ignition, child: Ignition): Ignition {
  const done = appendedLists(parent, child).filter(({ mine, theirs }) => holdsRun(theirs, mine));
  if (done.length === 0) return child;
  const text = done
    .map(({ mine }) => mine)
    .sort((a, b) => b.start - a.start)
    .reduce((now, list) => replaceValue(now, list, []), child.text);
  return parseIgnitionText(text, child.where);
}
