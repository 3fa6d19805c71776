/** What Go's RE2 reads and JavaScript would silently read as something else. */
const UNSUPPORTED: readonly (readonly [RegExp, string])[] = [
  [/\\Q/, '\\Q…\\E'],
  [/\[\[:\^?[a-z]+:\]/, 'classes like [[:alpha:]]'],
  [/\\[pP]/, 'classes like \\pL'],
  [/\\x\{/, '\\x{…}'],
  [/\\C/, '\\C'],
  [/\(\?[a-zA-Z]*-?[a-zA-Z]*[:)]/, 'flags inside a pattern'],
];

/**
 * Compiles a pattern as Go's regexp package reads it (the filters of telco-ran-tools and oc-mirror), unanchored.
 * Flags are read at the very start only. Throws a SyntaxError that says what is not understood.
 */
export function compileGoPattern(pattern: string): RegExp {
  const start = /^\(\?([ims]+)\)/.exec(pattern);
  const body = pattern.slice(start?.[0].length ?? 0);
  // An escaped backslash before a letter is no class; it is hidden while looking.
  const looked = body.replaceAll('\\\\', '').replaceAll('(?:', '(');
  for (const [construct, name] of UNSUPPORTED)
    if (construct.test(looked)) throw new SyntaxError(`${name} cannot be used here`);
  const translated = body
    .replace(/\(\?P</g, '(?<')
    .replace(/(^|[^\\])((?:\\\\)*)\\A/g, '$1$2(?<![^])')
    .replace(/(^|[^\\])((?:\\\\)*)\\z/g, '$1$2(?![^])');
  return new RegExp(translated, start?.[1] ?? '');
}
