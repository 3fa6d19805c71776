import { execute } from '@oclif/core';
import { tuneMemory } from './tune-memory.ts';

/** Runs the command line, whichever way it was loaded; the process ends by itself when this has ended. */
export async function runProgram(options: Parameters<typeof execute>[0]): Promise<void> {
  tuneMemory();
  // oclif leaves by process.exit when it cannot read the command line. Node then waits for the threads that compile,
  // and V8 has one of them wait for the main thread to collect garbage: about one start in a hundred never ended on a
  // busy machine. What is written to a pipe may be cut off as well.
  process.exit = ((code) => {
    process.exitCode = code ?? process.exitCode ?? 0;
  }) as typeof process.exit;
  await execute(options);
}
