import { Buffer } from 'node:buffer';
import { ButaneError } from './butane-error.ts';

/**
 * Checks a text before an engine sees it: at most `maxBytes` of UTF-8 and no lone surrogates, which
 * UTF-8 cannot hold and an encoder would replace without a word. Throws INPUT_TOO_LARGE, INPUT_INVALID.
 */
export function checkInput(what: string, text: string, maxBytes: number): void {
  const bytes = Buffer.byteLength(text);
  if (bytes > maxBytes) {
    throw new ButaneError(`${what} has ${bytes} bytes: want at most ${maxBytes}`, 'INPUT_TOO_LARGE');
  }
  if (!text.isWellFormed()) {
    throw new ButaneError(`${what} is not valid Unicode: it has half of a surrogate pair`, 'INPUT_INVALID');
  }
}
