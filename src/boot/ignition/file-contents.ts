import { gunzipSync } from 'node:zlib';
import { EdgefabError, hasCode } from '../../errors.ts';
import { decodeDataUrl } from '../../formats/data-url.ts';
import type { Ignition, IgnitionFile, IgnitionResource } from './ignition.ts';

/** Ignition unpacks compressed contents on the machine; a bomb must not unpack here. */
const MAX_UNPACKED_BYTES = 64 * 1024 * 1024;

/** What stands in a config itself, or undefined for what the machine would fetch (http, s3, tftp …). */
export function inlineBytes(
  resource: IgnitionResource,
  maxBytes = MAX_UNPACKED_BYTES,
): Uint8Array | undefined {
  const { source = '', compression = '' } = resource;
  if (compression !== '' && compression !== 'gzip')
    throw contentFault(`is compressed as "${compression.slice(0, 20)}", want gzip or no compression`);
  if (source === '') return new Uint8Array();
  if (!/^data:/i.test(source)) return undefined;
  let bytes: Uint8Array;
  try {
    ({ bytes } = decodeDataUrl(source));
  } catch (cause) {
    throw contentFault('is not a valid data URL', cause);
  }
  if (compression === '') return bytes;
  try {
    return gunzipSync(bytes, { maxOutputLength: Math.max(1, maxBytes) });
  } catch (cause) {
    const tooMuch = hasCode(cause, 'ERR_BUFFER_TOO_LARGE');
    throw contentFault(tooMuch ? `unpacks to more than ${maxBytes} bytes` : 'does not unpack as gzip', cause);
  }
}

function contentFault(message: string, cause?: unknown): EdgefabError {
  return new EdgefabError(message, { code: 'DATA_URL_INVALID', ...(cause === undefined ? {} : { cause }) });
}

/**
 * The bytes a file gets from the config: its contents, then what is appended, unpacked, 64 MiB at most.
 * Undefined when a part comes from elsewhere (http, s3). Throws IGNITION_INVALID.
 */
export function fileBytes(ignition: Ignition, file: IgnitionFile): Uint8Array | undefined {
  const parts: Uint8Array[] = [];
  let left = MAX_UNPACKED_BYTES;
  for (const resource of [...(file.contents === undefined ? [] : [file.contents]), ...file.append]) {
    let part: Uint8Array | undefined;
    try {
      part = inlineBytes(resource, left);
    } catch (cause) {
      const why = cause instanceof EdgefabError ? cause.message : 'cannot be read';
      throw new EdgefabError(`${ignition.where}: the content of ${file.path} ${why}`, {
        code: 'IGNITION_INVALID',
        place: { file: ignition.where, field: file.path },
        cause,
      });
    }
    if (part === undefined) return undefined;
    left -= part.length;
    parts.push(part);
  }
  const [only] = parts;
  return only !== undefined && parts.length === 1 ? only : Buffer.concat(parts);
}

/** The text of a file of the config by its path; undefined when there is no such file or it is not inline. */
export function fileText(ignition: Ignition, path: string): string | undefined {
  const file = ignition.files.find((each) => each.path === path);
  const bytes = file === undefined ? undefined : fileBytes(ignition, file);
  return bytes === undefined ? undefined : new TextDecoder().decode(bytes);
}
