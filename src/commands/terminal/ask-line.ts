import { createInterface } from 'node:readline/promises';

/** Asks a person at the terminal for one line, on stderr; spaces around the answer do not count. Throws when interrupted. */
export async function askLine(question: string, signal: AbortSignal): Promise<string> {
  const lines = createInterface({ input: process.stdin, output: process.stderr });
  // The terminal is in raw mode while a line is read: Ctrl-C is a key then, not a signal.
  lines.once('SIGINT', () => process.kill(process.pid, 'SIGINT'));
  try {
    return (await lines.question(question, { signal })).trim();
  } finally {
    lines.close();
  }
}
