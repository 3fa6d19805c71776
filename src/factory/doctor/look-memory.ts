import { readFile } from 'node:fs/promises';
import type { LivePhase } from '../../mirror/plan/live-phase.ts';
import type { Finding } from './finding.ts';

const MIB = 1024 ** 2;

const mebibytes = (bytes: number): string => `${Math.ceil(bytes / MIB)} MiB`;

/** Looks whether this machine's memory holds what the live phase keeps in it. Format: proc_meminfo(5). */
export async function lookAtMemory(live: LivePhase, meminfo = '/proc/meminfo'): Promise<Finding> {
  const text = await readFile(meminfo, 'utf8').catch(() => '');
  const [, kib] = /^MemTotal:\s+([0-9]+) kB$/m.exec(text) ?? [];
  if (kib === undefined)
    return { what: 'memory', state: 'note', detail: `${meminfo} does not tell how much there is` };
  const bytes = Number(kib) * 1024;
  const detail = `${mebibytes(bytes)}; installing is estimated to need ${mebibytes(live.ramBytes)}`;
  if (bytes >= live.ramBytes) return { what: 'memory', state: 'ok', detail };
  return {
    what: 'memory',
    state: 'missing',
    detail,
    remedy: 'Put more memory in: half of it holds the images of the live phase',
  };
}
