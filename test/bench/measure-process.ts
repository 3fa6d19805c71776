import { spawn } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';

/**
 * `peakMiB`: the largest resident set of the process, plus those of its children. `anonymousMiB`: the most that all
 * of them together held at one time of memory that is no file's. `cpuSeconds`: of all of them, in user and kernel.
 */
export interface ProcessFigures {
  readonly wallSeconds: number;
  readonly cpuSeconds: number;
  readonly peakMiB: number;
  readonly anonymousMiB: number;
}

const SAMPLE_MS = 20;
/** USER_HZ of every Linux there is. */
const TICKS_PER_SECOND = 100;

function readOrEmpty(read: () => string): string {
  try {
    return read();
  } catch {
    // The process has ended between two looks.
    return '';
  }
}

function childrenOf(pid: number): number[] {
  let threads: string[];
  try {
    threads = readdirSync(`/proc/${pid}/task`);
  } catch {
    return [];
  }
  return threads.flatMap((thread) =>
    readOrEmpty(() => readFileSync(`/proc/${pid}/task/${thread}/children`, 'utf8'))
      .split(' ')
      .filter((text) => text !== '')
      .map(Number),
  );
}

/**
 * Notes the high-water marks (proc_pid_status(5), VmHWM; a mark never falls) of a process and all below it. Returns
 * their anonymous memory now, in KiB.
 */
function sample(pid: number, peaksKiB: Map<number, number>): number {
  const status = readOrEmpty(() => readFileSync(`/proc/${pid}/status`, 'utf8'));
  const peak = /^VmHWM:\s+(\d+) kB$/m.exec(status)?.[1];
  if (peak !== undefined) peaksKiB.set(pid, Number(peak));
  const anonymousKiB = Number(/^RssAnon:\s+(\d+) kB$/m.exec(status)?.[1] ?? 0);
  return childrenOf(pid).reduce((sum, child) => sum + sample(child, peaksKiB), anonymousKiB);
}

/** CPU time of all children that have ended, and of all theirs (proc_pid_stat(5), cutime and cstime), in seconds. */
function endedChildrenSeconds(): number {
  const stat = readFileSync('/proc/self/stat', 'utf8');
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  return (Number(fields[13]) + Number(fields[14])) / TICKS_PER_SECOND;
}

export interface MeasureOptions {
  readonly cwd: string;
  readonly env: Readonly<Record<string, string>>;
}

/** Runs a program to its end and measures it from outside. Throws with the end of its output when it fails. */
export async function measureProcess(
  [program = '', ...args]: readonly string[],
  { cwd, env }: MeasureOptions,
): Promise<ProcessFigures> {
  const peaksKiB = new Map<number, number>();
  let anonymousKiB = 0;
  const cpuBefore = endedChildrenSeconds();
  const started = performance.now();
  const child = spawn(program, args, { cwd, env: { ...env }, stdio: ['ignore', 'pipe', 'pipe'] });
  let output = '';
  for (const stream of [child.stdout, child.stderr])
    stream.on('data', (text) => {
      output = (output + String(text)).slice(-4000);
    });
  const { pid } = child;
  const look = (): void => {
    if (pid !== undefined) anonymousKiB = Math.max(anonymousKiB, sample(pid, peaksKiB));
  };
  const timer = setInterval(look, SAMPLE_MS);
  try {
    const status = await new Promise<number | null>((resolve, reject) => {
      child.once('error', reject);
      child.once('close', resolve);
    });
    const wallSeconds = (performance.now() - started) / 1000;
    if (status !== 0) throw new Error(`${[program, ...args].join(' ')} ended with ${status}:\n${output}`);
    const peakKiB = [...peaksKiB.values()].reduce((sum, peak) => sum + peak, 0);
    const cpuSeconds = endedChildrenSeconds() - cpuBefore;
    return { wallSeconds, cpuSeconds, peakMiB: peakKiB / 1024, anonymousMiB: anonymousKiB / 1024 };
  } finally {
    clearInterval(timer);
  }
}
