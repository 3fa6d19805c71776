import { encodedParts } from './encoded-parts.ts';
import { fileBytes } from './file-contents.ts';
import type { Ignition } from './ignition.ts';

/** An image a config names by its digest, HOST/PATH@sha256:HEX, and the files or units that name it. */
export interface NamedImage {
  readonly reference: string;
  readonly namedBy: readonly string[];
}

// A host has a dot, a port, or is localhost (distribution/reference, splitDockerDomain). It does not begin behind a
// percent sign: in a data URL as it is written, %20quay.io is no host; decoded it is looked at as well.
const PINNED =
  /(?<![A-Za-z0-9._/@:%-])((?:[A-Za-z0-9-]+\.)+[A-Za-z0-9-]+(?::[0-9]+)?|[A-Za-z0-9-]+:[0-9]+|localhost)\/([a-z0-9._/-]+)(?::[A-Za-z0-9._-]+)?@(sha256:[0-9a-f]{64})(?![0-9a-f])/g;
/** Lists every image a config names by digest: in its files, in the files of its MachineConfigs, in its units. */
export function imageReferences(ignition: Ignition): NamedImage[] {
  const found = new Map<string, Set<string>>();
  const look = (text: string, where: string): void => {
    for (const [, host, path, digest] of text.matchAll(PINNED)) {
      const reference = `${host}/${path}@${digest}`;
      found.set(reference, (found.get(reference) ?? new Set()).add(where));
    }
  };
  for (const file of ignition.files) {
    const text = Buffer.from(fileBytes(ignition, file) ?? []).toString('latin1');
    for (const each of [text, ...encodedParts(text).map((part) => Buffer.from(part).toString('latin1'))])
      look(each, file.path);
  }
  for (const unit of ignition.units) {
    look(unit.contents ?? '', unit.name);
    for (const dropin of unit.dropins) look(dropin.contents ?? '', `${unit.name}.d/${dropin.name}`);
  }
  return [...found]
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([reference, where]) => ({ reference, namedBy: [...where].sort() }));
}
