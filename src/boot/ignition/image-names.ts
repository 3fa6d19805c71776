import { EdgefabError } from '../../errors.ts';
import { fileText } from './file-contents.ts';
import type { Ignition } from './ignition.ts';
import { literalVariables, type ShellLine, shellLines } from './shell-lines.ts';

/**
 * What the scripts do with an image they ask for:
 * `run` a container of it is started by podman; `static-pod` its name is handed to an operator's render, which
 * writes it into a static pod; `config` its name goes into a configuration (the pause image); `os` the node
 * image, pulled by ostree; `name-only` its name is resolved, and on platform none nothing pulls it before
 * the reboot.
 */
export type ImageUse = 'run' | 'static-pod' | 'config' | 'os' | 'name-only';

/** Where in the config an image is asked for. */
export interface ImageAsk {
  readonly path: string;
  readonly line: number;
}

/** A payload image (its name in the release's image-references) that the bootstrap phase asks for. */
export interface ImageName {
  readonly name: string;
  readonly use: ImageUse;
  readonly askedBy: readonly ImageAsk[];
}

const CALL = /\bimage_for\s+(?:"([^"]*)"|'([^']*)'|([^\s;|&)"'`]+))/g;
const VARIABLE = /^\$\{?([A-Za-z_][A-Za-z0-9_]*)\}?$/;
const NAME = /^[a-z0-9][a-z0-9-]*$/;
const ASSIGNED = /^\s*(?:until\s+|while\s+|if\s+!?\s*)?([A-Za-z_][A-Za-z0-9_]*)=\$\(\s*image_for\b/;
/**
 * Flags of the machine-config-operator's render whose image is in no pod of platform none: the first four are
 * for platforms with virtual addresses, the operating system's is fetched after the reboot.
 */
const UNUSED_FLAGS = [
  '--keepalived-image',
  '--coredns-image',
  '--haproxy-image',
  '--baremetal-runtimecfg-image',
  '--machine-config-oscontent-image',
];
const STRENGTH: readonly ImageUse[] = ['run', 'os', 'static-pod', 'config', 'name-only'];

function useOf(variable: string | undefined, lines: readonly ShellLine[]): ImageUse {
  // Asked for in the middle of a text: `echo "X=$(image_for pod)" > FILE`.
  if (variable === undefined) return 'config';
  const mention = new RegExp(`\\$\\{?${variable}\\b\\}?`);
  const mentions = lines.map(({ text }) => text.trim()).filter((text) => mention.test(text));
  if (mentions.some((text) => /\bdocker:\/\//.test(text))) return 'os';
  // podman's image argument stands on a line of its own, or last in a command that is put together.
  const argument = new RegExp(
    `^"?\\$\\{?${variable}\\}?"?(?:\\s*\\\\)?$|\\bpodman\\w*[ =].*\\$\\{?${variable}\\}?"?$`,
  );
  if (mentions.some((text) => argument.test(text))) return 'run';
  const flags = mentions.flatMap((text) => /^(--[a-z-]+)[= ]/.exec(text)?.[1] ?? []);
  if (flags.some((flag) => !UNUSED_FLAGS.includes(flag))) return 'static-pod';
  if (flags.length > 0) return 'name-only';
  return mentions.some((text) => /\bimage\b.*=/.test(text)) ? 'config' : 'name-only';
}

/**
 * Derives from a config's own scripts which payload images the bootstrap phase asks for, sorted by name, each
 * with every file and line that asks. The release image itself is not among them (`releaseImage`). Throws
 * INSTALLER_TEXT_UNKNOWN for an ask whose name cannot be read from the text.
 */
export function bootstrapImageNames(ignition: Ignition): ImageName[] {
  const found = new Map<string, { use: ImageUse; askedBy: ImageAsk[] }>();
  for (const { path } of ignition.files) {
    if (!path.endsWith('.sh')) continue;
    const lines = shellLines(fileText(ignition, path) ?? '');
    const variables = literalVariables(lines);
    for (const { line, text } of lines) {
      for (const match of text.matchAll(CALL)) {
        const word = match[1] ?? match[2] ?? match[3] ?? '';
        const name = NAME.test(word) ? word : variables.get(VARIABLE.exec(word)?.[1] ?? '');
        if (name === undefined || !NAME.test(name)) {
          throw new EdgefabError(
            `${ignition.where}: ${path}:${line} asks for the image "${word.slice(0, 100)}": cannot tell from the text which one that is`,
            { code: 'INSTALLER_TEXT_UNKNOWN', place: { file: ignition.where, field: path, line } },
          );
        }
        const use = useOf(ASSIGNED.exec(text)?.[1], lines);
        const entry = found.get(name) ?? { use, askedBy: [] };
        if (STRENGTH.indexOf(use) < STRENGTH.indexOf(entry.use)) entry.use = use;
        entry.askedBy.push({ path, line });
        found.set(name, entry);
      }
    }
  }
  return [...found]
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([name, { use, askedBy }]) => ({ name, use, askedBy }));
}
