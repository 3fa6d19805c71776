import { spawn } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';

/** `peakMiB`: the largest resident set of the process, plus those of its children. */
export interface ProcessFigures {
  readonly wallSeconds: number;
  readonly peakMiB: number;
}

const SAMPLE_MS = 20;

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

/** Adds the high-water marks (proc_pid_status(5), VmHWM) of a process and all below it; a mark never falls. */
function sample(pid: number, peaksKiB: Map<number, number>): void {
  const status = readOrEmpty(() => readFileSync(`/proc/${pid}/status`, 'utf8'));
  const peak = /^VmHWM:\s+(\d+) kB$/m.exec(status)?.[1];
  if (peak !== undefined) peaksKiB.set(pid, Number(peak));
  for (const child of childrenOf(pid)) sample(child, peaksKiB);
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
  const started = performance.now();
  const child = spawn(program, args, { cwd, env: { ...env }, stdio: ['ignore', 'pipe', 'pipe'] });
  let output = '';
  for (const stream of [child.stdout, child.stderr])
    stream.on('data', (text) => {
      output = (output + String(text)).slice(-4000);
    });
  const { pid } = child;
  const timer = pid === undefined ? undefined : setInterval(() => sample(pid, peaksKiB), SAMPLE_MS);
  try {
    const status = await new Promise<number | null>((resolve, reject) => {
      child.once('error', reject);
      child.once('close', resolve);
    });
    const wallSeconds = (performance.now() - started) / 1000;
    if (status !== 0) throw new Error(`${[program, ...args].join(' ')} ended with ${status}:\n${output}`);
    const peakKiB = [...peaksKiB.values()].reduce((sum, peak) => sum + peak, 0);
    return { wallSeconds, peakMiB: peakKiB / 1024 };
  } finally {
    clearInterval(timer);
  }
}
