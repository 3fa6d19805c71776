/** One way in that a server offers (RFC 9110 §11.3). Scheme and parameter names are lower-case. */
export interface Challenge {
  readonly scheme: string;
  readonly parameters: ReadonlyMap<string, string>;
}

/** Node joins repeated headers; no real challenge comes near this. */
const MAX_HEADER_CHARACTERS = 16_384;

// Anchored (sticky) pieces of the grammar. A bare value is read up to the next blank or comma: some servers
// leave URLs unquoted.
const SEPARATORS = /[\s,]*/y;
const TOKEN = /[!#$%&'*+\-.^_`|~0-9A-Za-z]+/y;
const EQUALS = /\s*=\s*/y;
const QUOTED = /"((?:[^"\\]|\\.)*)"/sy;
const BARE = /[^\s,"]+/y;
const TOKEN68 = /[A-Za-z0-9\-._~+/]+=*(?=\s*(?:,|$))/y;

/**
 * Parses WWW-Authenticate: several schemes in one header, quoted commas and escapes. What cannot be read ends
 * the parsing; the challenges before it count.
 */
export function parseChallenges(header: string): Challenge[] {
  const text = header.slice(0, MAX_HEADER_CHARACTERS);
  let at = 0;
  const take = (piece: RegExp): RegExpExecArray | undefined => {
    piece.lastIndex = at;
    const match = piece.exec(text);
    if (match === null) return undefined;
    at = piece.lastIndex;
    return match;
  };
  const challenges: { scheme: string; parameters: Map<string, string> }[] = [];
  while (true) {
    take(SEPARATORS);
    const name = take(TOKEN)?.[0].toLowerCase();
    if (name === undefined) return challenges;
    const current = challenges.at(-1);
    if (current !== undefined && take(EQUALS) !== undefined) {
      const quoted = take(QUOTED);
      const value = quoted === undefined ? take(BARE)?.[0] : quoted[1]?.replace(/\\(.)/gs, '$1');
      if (value === undefined) return challenges;
      // The first of repeated parameters counts, so that nothing appended can override it.
      if (!current.parameters.has(name)) current.parameters.set(name, value);
      continue;
    }
    challenges.push({ scheme: name, parameters: new Map() });
    const start = at;
    take(/\s+/y);
    // Negotiate and its like carry one token instead of parameters; edgefab has no use for it.
    if (at === start || take(TOKEN68) === undefined) at = start;
  }
}
