/** The sections of a keyfile. Strict: no line that is neither section nor key, no key or section twice. */
export function parseKeyfile(text: string): Record<string, Record<string, string>> {
  const sections: Record<string, Record<string, string>> = {};
  let current: Record<string, string> | undefined;
  for (const line of text.split('\n')) {
    if (line === '' || line.startsWith('#')) continue;
    const [, section] = /^\[([a-z0-9-]+)\]$/.exec(line) ?? [];
    if (section !== undefined) {
      if (sections[section] !== undefined) throw new Error(`section [${section}] twice`);
      current = {};
      sections[section] = current;
      continue;
    }
    const [, key, value] = /^([A-Za-z0-9.-]+)=([\x21-\x7e]*)$/.exec(line) ?? [];
    if (key === undefined || value === undefined || current === undefined) throw new Error(`line "${line}"`);
    if (current[key] !== undefined) throw new Error(`key ${key} twice`);
    current[key] = value;
  }
  return sections;
}
