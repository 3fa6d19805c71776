import { createConnection } from 'node:net';
import { createInterface } from 'node:readline';

/** Gives QEMU a command with arguments over its control socket (QMP), and waits for its answer. Throws what QEMU says against it. */
export async function askQemu(
  socket: string,
  execute: string,
  args: Readonly<Record<string, unknown>>,
): Promise<void> {
  const connection = createConnection(socket);
  const say = (message: object): void => void connection.write(`${JSON.stringify(message)}\n`);
  try {
    say({ execute: 'qmp_capabilities' });
    say({ execute, arguments: args, id: 'asked' });
    for await (const line of createInterface({ input: connection })) {
      const answer = JSON.parse(line) as { id?: string; error?: { desc: string } };
      if (answer.id !== 'asked') continue;
      if (answer.error !== undefined) throw new Error(`QEMU does not ${execute}: ${answer.error.desc}`);
      return;
    }
    throw new Error(`QEMU has ended before it could ${execute}`);
  } finally {
    connection.destroy();
  }
}
