import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { setTimeout as delay } from 'node:timers/promises';

/**
 * Runs a module's text in a process of its own and kills that (SIGKILL) so many milliseconds after it wrote its first
 * byte. The text should work until then.
 */
export async function killAfter(script: string, ms: number): Promise<void> {
  const child = spawn(process.execPath, ['--input-type=module', '-e', script], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const ended = once(child, 'exit');
  const isReady = await Promise.race([once(child.stdout, 'data').then(() => true), ended.then(() => false)]);
  if (!isReady) throw new Error('the program to be killed ended by itself');
  await delay(ms);
  child.kill('SIGKILL');
  await ended;
}
