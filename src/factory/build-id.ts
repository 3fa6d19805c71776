import { createHash } from 'node:crypto';
import { canonicalJson, type Json } from '../formats/canonical-json.ts';

/**
 * Names a build: sha256, in hex, of the canonical JSON of its inputs (lock digest, release, site, patch set).
 * The id is printed, labels disks and goes into receipts, so inputs never contain a secret, nor a digest of
 * one: pull secrets, private keys and tokens stay out.
 */
export function buildId(inputs: Json): string {
  return createHash('sha256').update(canonicalJson(inputs)).digest('hex');
}
