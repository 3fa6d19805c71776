import type { Host } from '../../host/host.ts';
import { askTime } from './ask-time.ts';
import type { Finding } from './finding.ts';

const FAR_SECONDS = 60;

/** Looks whether time servers answer, and how far this clock is from theirs. */
export async function lookAtTimeServers(
  servers: readonly string[],
  host: Pick<Host, 'now'>,
  ask: typeof askTime = askTime,
): Promise<Finding[]> {
  return await Promise.all(
    servers.map(async (server): Promise<Finding> => {
      const what = `time server ${server}`;
      try {
        const offset = await ask(server, host);
        const detail = `this clock is ${Math.abs(offset).toFixed(1)} s ${offset < 0 ? 'ahead' : 'behind'}`;
        if (Math.abs(offset) < FAR_SECONDS) return { what, state: 'ok', detail };
        return { what, state: 'note', detail, remedy: 'Set this clock: certificates are dated by it' };
      } catch (error) {
        const { code, message } = error as NodeJS.ErrnoException;
        return {
          what,
          state: 'note',
          detail: `it does not answer: ${code ?? message}`,
          remedy: 'The machine must reach it from where it will stand; without one its own clock counts',
        };
      }
    }),
  );
}
