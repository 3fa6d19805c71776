const MAX_SHOWN = 60;
// Control and direction characters would change what a terminal shows around them.
// biome-ignore lint/suspicious/noControlCharactersInRegex: these are the characters to take out.
const UNSHOWABLE = /[\u0000-\u001f\u007f-\u009f\u200b-\u200f\u2028-\u202e\u2066-\u2069\ufeff]/g;

/** Makes foreign text safe to print on one line: odd characters as \uXXXX, at most `max` characters. */
export function showText(text: string, max = MAX_SHOWN): string {
  const cut = text.length > max ? `${text.slice(0, max)}…` : text;
  return cut.replace(UNSHOWABLE, (odd) => `\\u${odd.charCodeAt(0).toString(16).padStart(4, '0')}`);
}

/** Puts foreign text in double quotes, escaped and cut like `showText`. */
export function quoteText(text: string): string {
  return JSON.stringify(text.length > MAX_SHOWN ? `${text.slice(0, MAX_SHOWN)}…` : text).replace(
    UNSHOWABLE,
    (odd) => showText(odd),
  );
}
