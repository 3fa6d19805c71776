import { EdgefabError } from '../../errors.ts';
import type { Host } from '../../host/host.ts';

/**
 * What every XFS of edgefab is made with. The kernels of RHCOS 4.12 to 4.15 refuse what mkfs.xfs switches on by itself
 * today (large timestamps, inode counters, large extent counters), so each feature is named.
 */
const USUAL: readonly (readonly [string, readonly string[]])[] = [
  ['-m', ['crc=1', 'finobt=1', 'reflink=1', 'rmapbt=0', 'bigtime=0', 'inobtcount=0']],
  ['-i', ['sparse=1', 'nrext64=0']],
];

/** What later versions of mkfs.xfs switch on, or will; most that are installed do not know the words. */
const LATER: readonly (readonly [string, string])[] = [
  ['-i', 'exchange=0'],
  ['-n', 'parent=0'],
  ['-m', 'metadir=0'],
];

/** The command that makes an XFS every node can mount, for a device and its options to follow. */
export const MAKE_XFS = ['mkfs.xfs', ...USUAL.flatMap(([flag, words]) => [flag, words.join(',')])].join(' ');

/**
 * Finds the arguments that make such an XFS with the mkfs.xfs that is installed: each word is tried (`-N` writes
 * nothing), and those it does not know are left out, since what it does not know it does not switch on. Ends with the
 * device. Throws TOOL_MISSING, and TOOL_FAILED when it will not format the device with any.
 */
export async function xfsArguments(
  device: string,
  label: string,
  host: Pick<Host, 'run'>,
): Promise<readonly string[]> {
  const end = ['-f', '-L', label, device];
  const attempt = (words: readonly (readonly [string, string])[]) =>
    host.run('mkfs.xfs', ['-N', ...words.flat(), ...end]);
  const words = [
    ...USUAL.flatMap(([flag, list]) => list.map((word): [string, string] => [flag, word])),
    ...LATER,
  ];
  const plain = await attempt([]);
  if (plain.exitCode !== 0) {
    throw new EdgefabError(`mkfs.xfs will not format ${device}: ${lastLine(plain.stderr)}`, {
      code: 'TOOL_FAILED',
      suggestions: ['The smallest XFS has 300 MiB; for the rest, the message above says it'],
    });
  }
  const known: (readonly [string, string])[] = [];
  for (const word of words) {
    if ((await attempt([word])).exitCode === 0) known.push(word);
  }
  const all = await attempt(known);
  if (all.exitCode !== 0) {
    throw new EdgefabError(
      `mkfs.xfs knows ${known.flat().join(' ')}, but not together: ${lastLine(all.stderr)}`,
      {
        code: 'TOOL_FAILED',
        suggestions: ['Install another version of xfsprogs'],
      },
    );
  }
  return [...known.flat(), ...end];
}

function lastLine(text: string): string {
  return text.trim().split('\n').at(-1) ?? '';
}
