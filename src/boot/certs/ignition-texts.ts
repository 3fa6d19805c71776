import { EdgefabError } from '../../errors.ts';
import type { Ignition } from '../ignition/ignition.ts';
import { replaceValue } from '../ignition/json-edit.ts';
import { type JsonNode, memberOf } from '../ignition/json-tree.ts';
import { parseIgnitionText } from '../ignition/parse-ignition.ts';

/** A text that may hold certificates, and what to call it: the path of a file, or the field of a config. */
export interface NamedText {
  readonly path: string;
  readonly text: string;
}

interface Leaf extends NamedText {
  readonly node: JsonNode;
  /** Whether the config holds a hash of the content, by which the machine checks it. */
  readonly hashed: boolean;
}

/** The `source` of a resource with `verification.hash` (Ignition 3.x, section on contents). */
function isHashed(resource: JsonNode, key: string): boolean {
  return key === 'source' && memberOf(memberOf(resource, 'verification'), 'hash')?.kind === 'string';
}

function leavesOf(node: JsonNode, path: string, out: Leaf[], hashed = false): void {
  if (node.kind === 'string') out.push({ path, node, text: node.value, hashed });
  if (node.kind === 'array')
    for (const [index, item] of node.items.entries()) {
      // A file is called by its path, not by its number.
      const name = path === 'storage.files' ? memberOf(item, 'path') : undefined;
      leavesOf(item, name?.kind === 'string' ? name.value : `${path}[${index}]`, out);
    }
  if (node.kind === 'object')
    for (const { key, value } of node.members)
      leavesOf(
        value,
        path.startsWith('/') ? path : path === '' ? key : `${path}.${key}`,
        out,
        isHashed(node, key),
      );
}

/** Lists every text of a config, in its order: contents of files, units, trust of the config itself. */
export function ignitionTexts(ignition: Ignition): NamedText[] {
  const leaves: Leaf[] = [];
  leavesOf(ignition.root, '', leaves);
  return leaves;
}

/**
 * Changes texts of a config; every byte outside them stays. The same config when none changes. Throws
 * CERTIFICATES_INVALID for one whose hash the config holds: the machine would refuse another content.
 */
export function mapIgnitionTexts(ignition: Ignition, change: (each: NamedText) => string): Ignition {
  const leaves: Leaf[] = [];
  leavesOf(ignition.root, '', leaves);
  const { text } = ignition;
  let out = '';
  let at = 0;
  for (const leaf of leaves) {
    const { path, node, hashed } = leaf;
    const next = change(leaf);
    if (next === leaf.text) continue;
    if (hashed) {
      throw new EdgefabError(
        `${ignition.where}: ${path} holds a certificate to be changed, and verification.hash, which would no longer be right`,
        {
          code: 'CERTIFICATES_INVALID',
          suggestions: ['Remove verification from this file of the config'],
          place: { file: ignition.where, field: path },
        },
      );
    }
    const old = text.slice(node.start, node.end);
    out += text.slice(at, node.start) + replaceValue(old, { ...node, start: 0, end: old.length }, next);
    at = node.end;
  }
  return at === 0 ? ignition : parseIgnitionText(out + text.slice(at), ignition.where);
}
