import { hasCode } from './errors.ts';

/**
 * Runs a command line so that the process ends when its work has ended, whoever calls `process.exit`.
 *
 * oclif leaves by `process.exit` when it cannot read the command line. Node then waits for its threads that compile, and
 * V8 has one of them wait until the main thread collects garbage: on a busy machine about one start in a hundred never
 * ended. What was written to a pipe could be cut off as well.
 *
 * A reader that has gone, as `head` does, is no fault: the work goes on to its end. oclif waits until all was written,
 * which never comes then.
 */
export async function runNaturally(work: () => Promise<unknown>): Promise<void> {
  process.exit = ((code) => {
    process.exitCode = code ?? process.exitCode ?? 0;
  }) as typeof process.exit;
  const isUnread = new Promise<void>((resolve) => {
    const gone = (error: Error): void => {
      if (!hasCode(error, 'EPIPE')) throw error;
      resolve();
    };
    process.stdout.on('error', gone);
    process.stderr.on('error', gone);
  });
  await Promise.race([work(), isUnread]);
}
