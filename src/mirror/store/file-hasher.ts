import { availableParallelism } from 'node:os';
import type { Worker } from 'node:worker_threads';
import { type Digest, parseDigest } from '../../oci/digest.ts';
import { startWorker } from '../../packaged.ts';
import type { HashJob, HashPatch, HashReply } from './hash-worker.ts';

/** Hashes files on threads of their own; `hash` may be called as often as one likes at once. */
export interface FileHasher extends AsyncDisposable {
  readonly threads: number;
  /** Reads a file to its end. `onBytes` hears of bytes as they are read. Rejects with Node's error. */
  hash(path: string, onBytes: (bytes: number) => void): Promise<Digest>;
  /** Hashes what a file would be with patches laid over it; the file itself is only read. */
  hashPatched(path: string, patches: readonly HashPatch[]): Promise<Digest>;
}

interface Job extends HashJob {
  readonly onBytes: (bytes: number) => void;
  readonly resolve: (digest: Digest) => void;
  readonly reject: (error: unknown) => void;
}

/**
 * Opens a hasher with at most the given number of threads; a thread starts with the first file that finds all
 * others at work. An aborted signal ends all of them at once.
 */
export function openFileHasher(parallel: number, signal?: AbortSignal): FileHasher {
  const threads = Math.max(1, Math.min(parallel, availableParallelism()));
  const waiting: Job[] = [];
  const running = new Map<Worker, Job | undefined>();

  const fail = (worker: Worker, error: unknown): void => {
    const job = running.get(worker);
    running.delete(worker);
    job?.reject(error);
  };
  const next = (worker: Worker): void => {
    const job = waiting.shift();
    running.set(worker, job);
    if (job !== undefined) worker.postMessage({ path: job.path, patches: job.patches } satisfies HashJob);
  };
  const start = (): Worker => {
    const worker = startWorker('hash-worker', import.meta.url);
    worker.on('message', (reply: HashReply) => {
      const job = running.get(worker);
      if (job === undefined) return;
      switch (reply.kind) {
        case 'progress':
          job.onBytes(reply.bytes);
          return;
        case 'done':
          job.resolve(parseDigest(`sha256:${reply.hex}`));
          break;
        case 'failed':
          job.reject(Object.assign(new Error(reply.message), { code: reply.code }));
          break;
        default:
          reply satisfies never;
      }
      next(worker);
    });
    worker.on('error', (error) => fail(worker, error));
    return worker;
  };
  const stop = async (error: unknown): Promise<void> => {
    for (const job of waiting.splice(0)) job.reject(error);
    const workers = [...running.keys()];
    for (const worker of workers) fail(worker, error);
    await Promise.all(workers.map((worker) => worker.terminate()));
  };
  const abort = (): void => void stop(signal?.reason);
  signal?.addEventListener('abort', abort, { once: true });

  const hash = (work: Pick<Job, 'path' | 'patches' | 'onBytes'>): Promise<Digest> =>
    new Promise((resolve, reject) => {
      if (signal?.aborted === true) {
        reject(signal.reason);
        return;
      }
      waiting.push({ ...work, resolve, reject });
      const idle = [...running].find(([, job]) => job === undefined)?.[0];
      if (idle !== undefined) next(idle);
      else if (running.size < threads) next(start());
    });

  return {
    threads,
    hash: (path, onBytes) => hash({ path, patches: [], onBytes }),
    hashPatched: (path, patches) => hash({ path, patches, onBytes: () => undefined }),
    [Symbol.asyncDispose]: async () => {
      signal?.removeEventListener('abort', abort);
      await stop(new Error('the hasher is closed'));
    },
  };
}
