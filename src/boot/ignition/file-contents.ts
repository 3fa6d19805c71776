import { gunzipSync } from 'node:zlib';
import { EdgefabError } from '../../errors.ts';
import { decodeDataUrl } from '../../formats/data-url.ts';
import type { Ignition, IgnitionFile, IgnitionResource } from './ignition.ts';

/** Ignition unpacks compressed contents on the machine; a bomb must not unpack here. */
const MAX_UNPACKED_BYTES = 64 * 1024 * 1024;

function resourceBytes(ignition: Ignition, path: string, resource: IgnitionResource): Uint8Array | undefined {
  if (resource.source === undefined || resource.source === '') return new Uint8Array();
  if (!resource.source.startsWith('data:')) return undefined;
  const bad = (why: string, cause: unknown): EdgefabError =>
    new EdgefabError(`${ignition.where}: the content of ${path} ${why}`, {
      code: 'IGNITION_INVALID',
      place: { file: ignition.where, field: path },
      cause,
    });
  let bytes: Uint8Array;
  try {
    ({ bytes } = decodeDataUrl(resource.source));
  } catch (cause) {
    throw bad('is not a valid data URL', cause);
  }
  if (resource.compression === undefined || resource.compression === '') return bytes;
  try {
    return gunzipSync(bytes, { maxOutputLength: MAX_UNPACKED_BYTES });
  } catch (cause) {
    throw bad(`does not unpack as ${resource.compression.slice(0, 20)}, want gzip`, cause);
  }
}

/**
 * The bytes a file gets from the config: its contents, then what is appended. Undefined when a part comes
 * from elsewhere (http, s3). Throws IGNITION_INVALID.
 */
export function fileBytes(ignition: Ignition, file: IgnitionFile): Uint8Array | undefined {
  const parts = [...(file.contents === undefined ? [] : [file.contents]), ...file.append].map((resource) =>
    resourceBytes(ignition, file.path, resource),
  );
  const known = parts.filter((part) => part !== undefined);
  return known.length === parts.length ? Buffer.concat(known) : undefined;
}

/** The text of a file of the config by its path; undefined when there is no such file or it is not inline. */
export function fileText(ignition: Ignition, path: string): string | undefined {
  const file = ignition.files.find((each) => each.path === path);
  const bytes = file === undefined ? undefined : fileBytes(ignition, file);
  return bytes === undefined ? undefined : new TextDecoder().decode(bytes);
}
