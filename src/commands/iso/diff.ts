import { Args, Flags } from '@oclif/core';
import { diffIso, type IsoDiff } from '../../boot/iso/diff-iso.ts';
import { exitStatusOf } from '../../errors.ts';
import { showText } from '../../formats/shown-text.ts';
import { EdgefabCommand } from '../terminal/edgefab-command.ts';

const MAX_LINE = 4096;

function sizeText(bytes: number | null): string {
  return bytes === null ? 'not there' : `${bytes} bytes`;
}

function otherBytesLines({ otherBytes }: IsoDiff): string[] {
  const { same, comparedBytes, differingBytes, firstOffset, files } = otherBytes;
  if (same) return [`all ${comparedBytes} bytes outside the areas are the same`];
  return [
    `${differingBytes} of ${comparedBytes} bytes outside the areas differ, the first at ${firstOffset}`,
    ...files.map((file) => `  in ${file ?? 'no file (system area, descriptors, directories)'}`),
  ];
}

export default class IsoDiffCommand extends EdgefabCommand {
  static override summary = 'Say what differs between two live ISOs, secrets masked';
  static override description =
    'Compares what the images say of themselves, their areas, kernel arguments word by word, the embedded files and ' +
    'Ignition configs, and every other byte.';
  static override examples = [
    '<%= config.bin %> iso diff rhcos-live.iso out/bip/bip.iso',
    '<%= config.bin %> iso diff old.iso new.iso --exit-code',
  ];
  static override args = {
    a: Args.string({ description: 'the ISO before', required: true }),
    b: Args.string({ description: 'the ISO after', required: true }),
  };
  static override flags = {
    'exit-code': Flags.boolean({ description: 'end with status 4 when anything differs' }),
  };

  async run(): Promise<unknown> {
    const { args, flags } = await this.parse(IsoDiffCommand);
    this.begin(flags);
    const diff = await diffIso(args.a, args.b, this.signal);
    for (const line of linesOf(diff)) this.print(showText(line, MAX_LINE));
    if (flags['exit-code'] && !diff.same) process.exitCode = exitStatusOf('IMAGES_DIFFER');
    return { kind: 'IsoDiff', a: args.a, b: args.b, ...diff };
  }
}

function linesOf(diff: IsoDiff): string[] {
  const { properties, kargs, embedded, ignition } = diff;
  return [
    ...properties.map(({ what, a, b }) => `${what}: ${a ?? 'not told'} -> ${b ?? 'not told'}`),
    ...kargs.default.map((word) => `default kernel argument ${word}`),
    ...kargs.current.map((word) => `kernel argument ${word}`),
    ...(kargs.current.length === 0 && !kargs.sameLine ? ['kernel arguments in another order'] : []),
    ...embedded.map(
      ({ path, aBytes, bBytes }) => `embedded ${path}: ${sizeText(aBytes)} -> ${sizeText(bBytes)}`,
    ),
    ...(ignition ?? []).flatMap(({ kind, what, path, detail }) => [
      `  ${kind} ${what} ${path}`,
      ...detail.map((line) => `    ${line}`),
    ]),
    ...otherBytesLines(diff),
  ];
}
