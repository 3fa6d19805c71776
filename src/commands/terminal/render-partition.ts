import { describeContent, describeDevice } from '../../disk/device/describe-device.ts';
import type { PartitionPlan, PartitionRow } from '../../disk/partition/partition-change.ts';
import { formatBytes } from './format-amount.ts';
import { tableLines } from './table.ts';

const ACTIONS: Readonly<Record<PartitionPlan['action'], string>> = {
  create: 'a new table with one partition, formatted; everything that is there goes',
  format: 'the table is as wanted; format its partition, which is empty',
  none: 'nothing: it is as wanted already',
  delete: 'delete partitions of the installed system',
  restore: 'put the saved table back; what is in the partitions is not touched',
};

/** The lines of a plan as a person reads them: the disk, and its partitions before and after. */
export function renderPartitionPlan(plan: PartitionPlan): string[] {
  const { device, action, notes, backupFile } = plan;
  return [
    `disk      ${describeDevice(device)}`,
    `has       ${describeContent(device.content)}`,
    `to do     ${ACTIONS[action]}`,
    ...notes.map((note) => `note      ${note}`),
    ...(backupFile === undefined ? [] : [`backup    ${backupFile} gets the table as it is now`]),
    '',
    ...tableLines(
      ['', 'number', 'label', 'first sector', 'last sector', 'size'],
      [...rowsOf('before', plan.before, plan.sectorBytes), ...rowsOf('after', plan.after, plan.sectorBytes)],
    ),
  ];
}

function rowsOf(when: string, rows: readonly PartitionRow[], sectorBytes: number): string[][] {
  if (rows.length === 0) return [[when, 'none', '', '', '', '']];
  return rows.map(({ number, name, firstLba, lastLba }) => [
    when,
    String(number),
    name,
    String(firstLba),
    String(lastLba),
    formatBytes((lastLba - firstLba + 1) * sectorBytes),
  ]);
}
