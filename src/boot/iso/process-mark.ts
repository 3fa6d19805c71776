import { readFile } from 'node:fs/promises';

/**
 * Names a running process so that no other one, before or after a restart, has the same name: boot id and start time
 * (proc_pid_stat(5), field 22). Undefined when there is no such process, or no /proc.
 */
async function markOf(pid: number): Promise<string | undefined> {
  try {
    const [boot, stat] = await Promise.all([
      readFile('/proc/sys/kernel/random/boot_id', 'utf8'),
      readFile(`/proc/${pid}/stat`, 'utf8'),
    ]);
    // The program's name, in parentheses, may hold spaces.
    const started = stat.slice(stat.lastIndexOf(')') + 2).split(' ')[19];
    return `${pid} ${started} ${boot.trim()}`;
  } catch {
    return undefined;
  }
}

/** Names this process; see `isRunning`. */
export async function ownMark(): Promise<string> {
  return (await markOf(process.pid)) ?? String(process.pid);
}

/** Tells whether the process that gave itself this name is still there, as far as it can be seen from here. */
export async function isRunning(mark: string): Promise<boolean> {
  const pid = Number.parseInt(mark, 10);
  return Number.isInteger(pid) && pid > 0 && (await markOf(pid)) === mark;
}
