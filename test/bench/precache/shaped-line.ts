import { execFileSync } from 'node:child_process';
import { connect, createServer, type Socket } from 'node:net';

/** A line between this machine and a network namespace: what comes out of the namespace goes at a set rate. */
export interface ShapedLine {
  /** The address inside, on which a registry can listen. */
  readonly address: string;
  /** The command under which a program runs inside. */
  readonly under: readonly string[];
  close(): void;
}

const NAME = `edgefab-bench-${process.pid}`;
const OUTSIDE = `ef${process.pid}a`;
const INSIDE = `ef${process.pid}b`;
const ADDRESS = '10.217.46.2';

/** TCP payload that fits a line: 1448 bytes of each 1514-byte frame (Ethernet, IPv4, TCP with timestamps). */
export const PAYLOAD_SHARE = 1448 / 1514;

function ip(...args: string[]): void {
  execFileSync('ip', args);
}

/** Makes the namespace; needs root. `mbit` is the rate in Mbit/s of whole frames. */
export function openShapedLine(mbit: number): ShapedLine {
  const close = (): void => {
    // The pair of devices goes with its namespace.
    ip('netns', 'del', NAME);
  };
  ip('netns', 'add', NAME);
  try {
    ip('link', 'add', OUTSIDE, 'type', 'veth', 'peer', 'name', INSIDE, 'netns', NAME);
    ip('addr', 'add', '10.217.46.1/30', 'dev', OUTSIDE);
    ip('link', 'set', OUTSIDE, 'up');
    ip('-n', NAME, 'addr', 'add', `${ADDRESS}/30`, 'dev', INSIDE);
    ip('-n', NAME, 'link', 'set', INSIDE, 'up');
    const shaper = ['tbf', 'rate', `${mbit}mbit`, 'burst', '64k', 'latency', '50ms'];
    execFileSync('ip', ['netns', 'exec', NAME, 'tc', 'qdisc', 'add', 'dev', INSIDE, 'root', ...shaper]);
  } catch (error) {
    close();
    throw error;
  }
  return {
    address: ADDRESS,
    under: ['ip', 'netns', 'exec', NAME],
    close,
  };
}

export interface DelayProxy {
  /** HOST:PORT */
  readonly host: string;
  close(): Promise<void>;
}

/** Passes TCP on, each way late by half of a round trip. Windows and slow start stay those of the line behind. */
export async function startDelayProxy(target: string, roundTripMs: number): Promise<DelayProxy> {
  const [targetHost = '', targetPort = ''] = target.split(':');
  const sockets = new Set<Socket>();
  const pass = (from: Socket, to: Socket): void => {
    from.on('data', (chunk) => {
      setTimeout(() => {
        if (to.writable && !to.write(chunk)) {
          from.pause();
          to.once('drain', () => from.resume());
        }
      }, roundTripMs / 2);
    });
    from.once('close', () => setTimeout(() => to.destroy(), roundTripMs / 2));
    from.on('error', () => to.destroy());
  };
  const server = createServer((client) => {
    const upstream = connect(Number(targetPort), targetHost);
    for (const socket of [client, upstream]) {
      sockets.add(socket.setNoDelay(true));
      socket.once('close', () => sockets.delete(socket));
    }
    pass(client, upstream);
    pass(upstream, client);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as { port: number };
  return {
    host: `127.0.0.1:${port}`,
    close: () => {
      for (const socket of sockets) socket.destroy();
      return new Promise((resolve) => server.close(() => resolve()));
    },
  };
}
