/** What `sgdisk --info` knows of a partition that an install must not change. */
export function partitionFacts(text: string): string {
  return text
    .split('\n')
    .filter((line) => /^(?:Partition (?:GUID|unique|name)|First|Last)/.test(line))
    .join('\n');
}
