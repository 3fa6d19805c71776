import { basename } from 'node:path';
import { Flags, type Interfaces } from '@oclif/core';
import type { PartitionWish } from '../../disk/partition/partition-plan.ts';
import { EdgefabError } from '../../errors.ts';
import { quoteText } from '../../formats/shown-text.ts';
import { parseSize } from './format-amount.ts';

/** What `partition` can be told. */
export const partitionFlags = {
  'on-target': Flags.boolean({
    description:
      "the disk is the node's own: the cache goes to its end as partition 5, and at least 120 GiB before it stay for the install",
  }),
  size: Flags.string({
    description: 'size of the partition, like 250GiB or 100%; default 100%, on a target 250GiB',
  }),
  number: Flags.integer({
    description: 'number of the partition; default 1, on a target 5',
    min: 1,
    max: 128,
  }),
  label: Flags.string({
    description: 'label of partition and file system; default edgefab, on a target edgefab-node',
  }),
  'live-iso': Flags.string({
    description: 'with --on-target: the live ISO of the install, to see that its image ends before the cache',
    helpValue: 'FILE',
    dependsOn: ['on-target'],
  }),
  'dry-run': Flags.boolean({ description: 'show the plan, write nothing' }),
  yes: Flags.boolean({ char: 'y', description: 'carry the plan out; enough for a blank disk' }),
  wipe: Flags.boolean({ description: 'what is on the disk may go, together with --confirm' }),
  confirm: Flags.string({
    description: 'the serial of the disk, to show that it is the one that is meant',
    helpValue: 'SERIAL',
  }),
  backup: Flags.string({
    description: 'new file for the table as it was; default edgefab-table-DISK-TIME.json in this folder',
  }),
  'retry-install': Flags.boolean({
    description: 'delete partitions 1 to 4 of a node that is installed again, and keep its cache',
    exclusive: ['size', 'number', 'on-target', 'restore'],
  }),
  restore: Flags.string({
    description: 'put back the table saved in this file',
    helpValue: 'FILE',
    exclusive: ['size', 'number', 'label', 'on-target', 'wipe', 'backup'],
  }),
};

const GiB = 1024 ** 3;

/** An XFS label has at most 12 bytes; scripts and GPT tools get no character they would trip over. */
const LABEL = /^[A-Za-z0-9][A-Za-z0-9._-]{0,11}$/;

/** Makes a wish of the flags. Throws USAGE_INVALID. */
export function parsePartitionFlags(
  flags: Pick<Interfaces.InferredFlags<typeof partitionFlags>, 'on-target' | 'size' | 'number' | 'label'>,
): PartitionWish {
  const onTarget = flags['on-target'];
  const label = flags.label ?? (onTarget ? 'edgefab-node' : 'edgefab');
  if (!LABEL.test(label)) {
    throw usage(`--label is ${quoteText(label)}, want 1 to 12 letters, digits, dots, dashes or underscores`);
  }
  const number = flags.number ?? (onTarget ? 5 : 1);
  if (onTarget && number < 5) {
    throw usage(
      `--number is ${number}, want 5 or more with --on-target: the install makes partitions 1 to 4`,
    );
  }
  const size = parsePartitionSize(flags.size) ?? (onTarget ? { bytes: 250 * GiB } : { percent: 100 });
  return { number, label, size, place: onTarget ? 'target' : 'disk' };
}

function parsePartitionSize(text: string | undefined): PartitionWish['size'] | undefined {
  if (text === undefined) return undefined;
  const percent = Number(/^(\d{1,3})%$/.exec(text)?.[1] ?? Number.NaN);
  if (percent >= 1 && percent <= 100) return { percent };
  const bytes = parseSize(text);
  if (bytes === undefined) {
    throw usage(`--size is ${quoteText(text)}, want a size like 250GiB, or a share of the disk like 100%`);
  }
  return { bytes };
}

/** Names the file for the table of a disk: `edgefab-table-sda-2026-11-21T203622.120Z.json`. */
export function backupName(device: string, now: Date): string {
  const disk = basename(device).replace(/[^A-Za-z0-9._-]/g, '_');
  const time = now.toISOString().replaceAll(':', '');
  return `edgefab-table-${disk}-${time}.json`;
}

function usage(message: string): EdgefabError {
  return new EdgefabError(message, { code: 'USAGE_INVALID' });
}
