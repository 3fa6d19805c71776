import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { tempFolder } from './temp-folder.ts';

/**
 * Makes a /sys in which block devices are partitions of a disk, numbered from 1, since not every kernel looks for
 * partitions on loop devices; gone when the test is over. Returns its folder.
 */
export function fakeSysfs(disk: string, partitions: readonly string[]): string {
  const sys = tempFolder();
  const block = (device: string): string => join(sys, 'class/block', basename(device));
  for (const device of [disk, ...partitions]) {
    mkdirSync(block(device), { recursive: true });
    const numbers = `/sys/class/block/${basename(device)}/dev`;
    if (existsSync(numbers)) writeFileSync(join(block(device), 'dev'), readFileSync(numbers));
  }
  for (const [index, device] of partitions.entries()) {
    mkdirSync(join(block(disk), basename(device)), { recursive: true });
    writeFileSync(join(block(disk), basename(device), 'partition'), `${index + 1}\n`);
    writeFileSync(join(block(device), 'partition'), `${index + 1}\n`);
  }
  return sys;
}
