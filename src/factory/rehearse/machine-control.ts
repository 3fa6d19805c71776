import { createConnection } from 'node:net';
import { createInterface } from 'node:readline';

const ANSWER_MS = 5000;

/**
 * Gives QEMU one command over its control socket (QMP) and waits for the answer, or for the end of QEMU; undefined when
 * there was none.
 */
export async function controlMachine(socket: string, command: 'query-status' | 'quit'): Promise<unknown> {
  const connection = createConnection(socket);
  connection.setTimeout(ANSWER_MS, () => connection.destroy());
  // Without a listener an error would end the program; the lines then just end.
  connection.on('error', () => connection.destroy());
  connection.write(`{"execute":"qmp_capabilities"}\n{"execute":"${command}","id":"asked"}\n`);
  try {
    for await (const line of createInterface({ input: connection })) {
      const answer = parsed(line);
      if (typeof answer === 'object' && answer !== null && 'id' in answer && 'return' in answer)
        return answer.return;
    }
  } catch {
    // The socket is gone with the machine.
  } finally {
    connection.destroy();
  }
  return undefined;
}

function parsed(line: string): unknown {
  try {
    return JSON.parse(line);
  } catch {
    return undefined;
  }
}
