import { once } from 'node:events';
import { type AddressInfo, createServer, type Server, type Socket } from 'node:net';
import type { Host } from '../../host/host.ts';
import { answerFrame, type CardNetwork } from './answer-frame.ts';

/** A network that is played by this process. Dispose of it to end it. */
export interface SiteNetwork extends AsyncDisposable {
  /** For each card what it is plugged into, as QEMU's `-netdev` says it. */
  readonly netdevs: readonly string[];
}

/** QEMU's `-netdev socket` puts the length before each frame, four bytes, the highest first. */
const LENGTH_BYTES = 4;
/** QEMU's own bound (NET_BUFSIZE). */
const MAX_FRAME_BYTES = 68 * 1024;

/** Opens a port on loopback for each card, for every start of the machine. */
export async function openSiteNetwork(
  cards: readonly CardNetwork[],
  host: Pick<Host, 'now'>,
): Promise<SiteNetwork> {
  const sockets = new Set<Socket>();
  const servers: Server[] = [];
  const netdevs: string[] = [];
  for (const card of cards) {
    const server = createServer((socket) => {
      sockets.add(socket);
      socket.on('close', () => sockets.delete(socket));
      socket.on('error', () => socket.destroy());
      answerFrames(socket, card, host);
    });
    servers.push(server);
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    netdevs.push(`socket,connect=127.0.0.1:${(server.address() as AddressInfo).port}`);
  }
  return {
    netdevs,
    [Symbol.asyncDispose]: async () => {
      for (const socket of sockets) socket.destroy();
      await Promise.all(servers.map((server) => new Promise((resolve) => server.close(resolve))));
    },
  };
}

function answerFrames(socket: Socket, card: CardNetwork, { now }: Pick<Host, 'now'>): void {
  let held: Buffer = Buffer.alloc(0);
  socket.on('data', (bytes) => {
    held = Buffer.concat([held, bytes]);
    while (held.length >= LENGTH_BYTES) {
      const length = held.readUInt32BE(0);
      // That is not QEMU.
      if (length > MAX_FRAME_BYTES) return void socket.destroy();
      const end = LENGTH_BYTES + length;
      if (held.length < end) return;
      const answer = answerFrame(held.subarray(LENGTH_BYTES, end), card, now().getTime());
      held = held.subarray(end);
      if (answer === undefined) continue;
      const size = Buffer.alloc(LENGTH_BYTES);
      size.writeUInt32BE(answer.length);
      socket.write(Buffer.concat([size, answer]));
    }
  });
}
