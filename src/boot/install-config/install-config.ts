import { type Document, isMap, parseDocument } from 'yaml';
import { EdgefabError } from '../../errors.ts';

const MAX_CHARACTERS = 1024 * 1024;

/** Makes the error for a field of an install-config; never quotes a value that may be secret. */
export function installConfigError(field: string, why: string, cause?: unknown): EdgefabError {
  return new EdgefabError(`install-config: ${field}: ${why}`, {
    code: 'INSTALL_CONFIG_INVALID',
    place: { field },
    ...(cause === undefined ? {} : { cause }),
  });
}

/**
 * Parses the YAML of an install-config into a document that keeps comments and order; an empty text is an
 * empty mapping. Throws INSTALL_CONFIG_INVALID with line and column.
 */
export function parseInstallConfig(text: string): Document {
  if (text.length > MAX_CHARACTERS)
    throw installConfigError('(top)', `got ${text.length} characters, want at most ${MAX_CHARACTERS}`);
  const document = parseDocument(text.trim() === '' ? '{}' : text, { prettyErrors: false });
  const [fault] = document.errors;
  if (fault !== undefined) {
    const before = text.slice(0, fault.pos[0]).split('\n');
    // The parser's message may quote the text around the fault, so only its code is told.
    throw new EdgefabError(`install-config:${before.length}: not valid YAML (${fault.code})`, {
      code: 'INSTALL_CONFIG_INVALID',
      place: { line: before.length, col: (before.at(-1)?.length ?? 0) + 1 },
    });
  }
  if (!isMap(document.contents)) throw installConfigError('(top)', 'want a mapping of fields');
  document.contents.flow = false;
  return document;
}
