import { startWorker } from '../../packaged.ts';
import type { StickJob, StickJobDevice, StickReply } from './stick-worker.ts';

/** A thread that reads and writes one open device. One job at a time. */
export interface StickThread {
  /** Resolves to the bytes moved. Rejects with Node's error. */
  run(job: StickJob): Promise<number>;
  /** Ends the thread; the device stays open. */
  close(): Promise<void>;
}

/**
 * Starts a thread for an open device. Node moves the bytes of all files on four threads: with ten slow sticks six would
 * stand still, and the ISO would not be read either.
 */
export function startStickThread(device: StickJobDevice): StickThread {
  const worker = startWorker('stick-worker', import.meta.url);
  let waiting: PromiseWithResolvers<number> | undefined;
  let broken: Error | undefined;
  worker.on('message', (reply: StickReply) => {
    const asked = waiting;
    waiting = undefined;
    if (reply.kind === 'done') asked?.resolve(reply.bytes);
    else asked?.reject(Object.assign(new Error(reply.message), { code: reply.code }));
  });
  worker.on('error', (error: Error) => {
    broken = error;
    waiting?.reject(error);
  });
  return {
    run(job) {
      if (broken !== undefined) return Promise.reject(broken);
      waiting = Promise.withResolvers<number>();
      worker.postMessage({ ...job, ...device });
      return waiting.promise;
    },
    async close() {
      await worker.terminate();
    },
  };
}
