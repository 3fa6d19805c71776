/**
 * Makes the process end when its work has ended, whoever calls `process.exit`; called before the command line is read.
 *
 * oclif leaves by `process.exit` when it cannot read the command line. Node then waits for its threads that compile, and
 * V8 has one of them wait until the main thread collects garbage: on a busy machine about one start in a hundred never
 * ended. What was written to a pipe could be cut off as well.
 */
export function exitNaturally(): void {
  process.exit = ((code) => {
    process.exitCode = code ?? process.exitCode ?? 0;
  }) as typeof process.exit;
}
