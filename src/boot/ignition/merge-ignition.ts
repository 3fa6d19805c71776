import type { Butane, Report } from 'butane-wasm';
import { EdgefabError, hasCode } from '../../errors.ts';
import { engineMissing, isUnavailable } from './butane-engine.ts';
import type { Ignition } from './ignition.ts';
import { compareSpecs } from './ignition-spec.ts';
import { replaceValue, setMember } from './json-edit.ts';
import { reconcileJson, sameMeaning } from './json-reconcile.ts';
import { type JsonNode, memberOf, parseJsonTree } from './json-tree.ts';
import { parseIgnitionText } from './parse-ignition.ts';
import { withoutAppended } from './without-appended.ts';

/**
 * Merges a child config into a parent with Ignition's own merge, at the parent's spec version, and writes the
 * outcome into the parent's own text: what the child does not touch stays byte for byte. What the child
 * appends and the parent has already is not appended again, so merging twice is merging once. A child of a
 * newer spec is taken at the parent's, if nothing of it would be lost. `child.where` names it in messages.
 * Throws IGNITION_SPEC_TOO_NEW, IGNITION_INVALID, TOOL_MISSING.
 */
export async function mergeIgnition(
  parent: Ignition,
  child: Ignition,
  { merge }: Pick<Butane, 'merge'>,
): Promise<Ignition> {
  const newer = compareSpecs(child.version, parent.version) > 0;
  const lowered = newer ? atVersion(child, parent.version) : child;
  let merged: string;
  try {
    merged = (await merge(parent.text, withoutAppended(parent, lowered).text)).ignition;
  } catch (cause) {
    throw mergeError(parent, child, newer, cause);
  }
  const wanted = parseJsonTree(merged, child.where);
  if (sameMeaning(parent.root, wanted)) return parent;
  const result = parseIgnitionText(reconcileJson(parent.text, parent.root, wanted), parent.where);
  assertSame(result.root, wanted, parent);
  return result;
}

function atVersion(child: Ignition, version: string): Ignition {
  const header = memberOf(child.root, 'ignition');
  const now = memberOf(header, 'version');
  if (header?.kind !== 'object') return child;
  const text =
    now === undefined
      ? setMember(child.text, header, 'version', version)
      : replaceValue(child.text, now, version);
  return parseIgnitionText(text, child.where);
}

/** The texts of edgefab and Ignition must say the same; otherwise something would be lost without a word. */
function assertSame(result: JsonNode, wanted: JsonNode, parent: Ignition): void {
  if (sameMeaning(result, wanted)) return;
  throw new Error(`merging into ${parent.where} gave another config than Ignition's merge does`);
}

function mergeError(parent: Ignition, child: Ignition, newer: boolean, cause: unknown): unknown {
  if (isUnavailable(cause)) return engineMissing(`merging ${child.where} into ${parent.where}`, cause);
  if (!(cause instanceof Error)) return cause;
  const ofChild = !/^the parent\b/.test(cause.message);
  const known = ['FIELD_LOST', 'IGNITION_INVALID', 'SPEC_VERSION_RAISED', 'INPUT_TOO_LARGE', 'INPUT_INVALID'];
  if (!known.some((code) => hasCode(cause, code))) return cause;
  if (newer && ofChild) {
    return new EdgefabError(
      `${child.where} needs Ignition spec ${child.version}, and ${parent.where} is of spec ${parent.version}, which is never raised: ${cause.message}`,
      {
        code: 'IGNITION_SPEC_TOO_NEW',
        suggestions: [
          `Write it for Ignition ${parent.version}: leave out what the message names`,
          'What must only hold on the installed node can be a MachineConfig: variant openshift',
        ],
        place: { file: child.where },
        cause,
      },
    );
  }
  const why = [cause.message, ...reportedErrors(cause)].join('; ');
  return new EdgefabError(`${child.where} cannot be merged into ${parent.where}: ${why}`, {
    code: 'IGNITION_INVALID',
    place: { file: ofChild ? child.where : parent.where },
    cause,
  });
}

/** What the engine's report says besides its closing line. */
function reportedErrors(error: Error): string[] {
  const { report } = error as { report?: Report };
  return (report?.entries ?? [])
    .filter((entry) => entry.kind === 'error')
    .slice(0, 5)
    .map(({ path, message }) => (path === undefined ? message : `${path}: ${message}`));
}
