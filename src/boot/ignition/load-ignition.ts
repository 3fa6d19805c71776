import type { Ignition } from './ignition.ts';
import { loadText } from './load-text.ts';
import { MAX_IGNITION_BYTES, parseIgnitionText } from './parse-ignition.ts';

/** Loads an Ignition config, reading no more than its size limit. Throws FILE_UNREADABLE, IGNITION_INVALID. */
export async function loadIgnition(path: string): Promise<Ignition> {
  return parseIgnitionText(await loadIgnitionText(path), path);
}

/** Loads the text of a config without looking into it. Throws FILE_UNREADABLE, IGNITION_INVALID. */
export function loadIgnitionText(path: string): Promise<string> {
  return loadText(path, {
    what: 'the Ignition config',
    maxBytes: MAX_IGNITION_BYTES,
    code: 'IGNITION_INVALID',
  });
}
