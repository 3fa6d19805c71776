import { parseDocument } from 'yaml';
import { EdgefabError } from '../../errors.ts';
import { stringifyYaml } from '../../formats/stringify-yaml.ts';
import type { NewFile } from '../ignition/edit-ignition.ts';
import { fileText } from '../ignition/file-contents.ts';
import type { Ignition } from '../ignition/ignition.ts';

/** A Kubernetes object as it is in a manifest: plain data. */
export type Manifest = Readonly<Record<string, unknown>>;

/** Tells whether a value is a mapping of keys. */
export function isRecord(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function invalid(ignition: Ignition, path: string, why: string): EdgefabError {
  return new EdgefabError(`${ignition.where}: ${path} ${why}`, {
    code: 'IGNITION_INVALID',
    place: { file: ignition.where, field: path },
  });
}

/** Reads a manifest of the config that holds one object; undefined when there is no such file. Throws IGNITION_INVALID. */
export function manifestOf(ignition: Ignition, path: string): Manifest | undefined {
  const text = fileText(ignition, path);
  if (text === undefined) return undefined;
  const document = parseDocument(text, { prettyErrors: false });
  const value: unknown = document.errors.length > 0 ? undefined : document.toJS();
  if (!isRecord(value)) throw invalid(ignition, path, 'is not one manifest in YAML');
  return value;
}

/** The list of objects at a path of keys in a manifest, none where it is absent. Throws IGNITION_INVALID. */
export function listIn(
  ignition: Ignition,
  path: string,
  manifest: Manifest,
  keys: readonly string[],
): Readonly<Record<string, unknown>>[] {
  let value: unknown = manifest;
  for (const key of keys) value = isRecord(value) ? value[key] : undefined;
  if (value === undefined || value === null) return [];
  if (!Array.isArray(value) || !value.every(isRecord))
    throw invalid(ignition, path, `has a ${keys.join('.')} that is not a list of objects`);
  return value;
}

/** Makes a manifest file for the bootstrap, as bootkube copies it. */
export function manifestFile(path: string, manifest: Manifest): NewFile {
  return { path, mode: 0o644, text: stringifyYaml(manifest) };
}
