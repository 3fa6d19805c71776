import { fsyncSync, readSync, writeSync } from 'node:fs';
import { parentPort } from 'node:worker_threads';

/** The open device of a job, and the memory shared with whoever asks. */
export interface StickJobDevice {
  readonly fd: number;
  readonly memory: SharedArrayBuffer;
}

/** What a worker is asked to do. `start` is in the memory, `offset` on the device; both and the length in bytes. */
export type StickJob =
  | {
      readonly kind: 'write' | 'read';
      readonly start: number;
      readonly length: number;
      readonly offset: number;
    }
  | { readonly kind: 'sync' };

export type StickReply =
  | { readonly kind: 'done'; readonly bytes: number }
  | { readonly kind: 'failed'; readonly code: string; readonly message: string };

function work(job: StickJob & StickJobDevice): number {
  const { fd, memory } = job;
  switch (job.kind) {
    case 'write':
      return writeSync(fd, Buffer.from(memory, job.start, job.length), 0, job.length, job.offset);
    case 'read':
      return readSync(fd, Buffer.from(memory, job.start, job.length), 0, job.length, job.offset);
    case 'sync':
      fsyncSync(fd);
      return 0;
    default:
      return job satisfies never;
  }
}

parentPort?.on('message', (job: StickJob & StickJobDevice) => {
  let reply: StickReply;
  try {
    reply = { kind: 'done', bytes: work(job) };
  } catch (error) {
    const { code = '', message } = error as NodeJS.ErrnoException;
    reply = { kind: 'failed', code, message };
  }
  parentPort?.postMessage(reply);
});
