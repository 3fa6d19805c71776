import { access } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { Worker } from 'node:worker_threads';
import { ButaneError } from './butane-error.ts';
import type { IgnitionReply, IgnitionRequest } from './ignition-worker.ts';
import { type ReportEntry, reportOf } from './report.ts';

/** Where `npm run build` puts the WebAssembly file, seen from `src` and from `dist` alike. */
export const DEFAULT_WASM_PATH = fileURLToPath(new URL('../dist/ignition.wasm', import.meta.url));

/** The wasm's answer: a config, or a code and a message; always the entries. */
export interface IgnitionAnswer {
  readonly ignition?: string;
  readonly code?: 'IGNITION_INVALID' | 'SPEC_VERSION_RAISED' | 'FIELD_LOST';
  readonly message?: string;
  readonly entries: readonly ReportEntry[];
  readonly isFatal: boolean;
}

/**
 * Makes the function that asks Ignition in a worker thread, so that a config which takes for ever can be
 * stopped (IGNITION_TIMEOUT) and a crash of the instance (IGNITION_FAILED) costs only the worker. The
 * thread starts at the first request and is kept; it never keeps the process alive by itself.
 */
export function ignitionEngine(
  wasmPath: string,
  timeoutMs: number,
): (request: IgnitionRequest) => Promise<IgnitionAnswer> {
  let worker: Worker | undefined;
  let queue: Promise<unknown> = Promise.resolve();

  async function ask(request: IgnitionRequest): Promise<IgnitionAnswer> {
    await access(wasmPath).catch((cause: unknown) => {
      throw new ButaneError(
        `Ignition's WebAssembly is not built: want ${wasmPath}. Install Go 1.24 or newer and run "npm run build".`,
        'IGNITION_UNAVAILABLE',
        reportOf([]),
        cause,
      );
    });
    worker ??= startWorker(wasmPath);
    let reply: IgnitionReply;
    try {
      reply = await exchange(worker, request, timeoutMs);
    } catch (error) {
      await worker.terminate();
      worker = undefined;
      throw error;
    }
    if ('ended' in reply) {
      await worker.terminate();
      worker = undefined;
      throw new ButaneError(`Ignition gave up on the config: ${reply.ended}`, 'IGNITION_FAILED');
    }
    return JSON.parse(reply.json) as IgnitionAnswer;
  }

  return (request) => {
    const answer = queue.then(() => ask(request));
    queue = answer.catch(() => {});
    return answer;
  };
}

function startWorker(wasmPath: string): Worker {
  const extension = import.meta.url.endsWith('.ts') ? 'ts' : 'js';
  const worker = new Worker(new URL(`./ignition-worker.${extension}`, import.meta.url), {
    workerData: { wasmPath },
    env: {},
  });
  worker.unref();
  return worker;
}

function exchange(worker: Worker, request: IgnitionRequest, timeoutMs: number): Promise<IgnitionReply> {
  const { promise, resolve, reject } = Promise.withResolvers<IgnitionReply>();
  const fail = (cause: unknown) =>
    reject(new ButaneError('the Ignition worker ended early', 'IGNITION_FAILED', reportOf([]), cause));
  const timer = setTimeout(
    () => reject(new ButaneError(`Ignition took longer than ${timeoutMs} ms`, 'IGNITION_TIMEOUT')),
    timeoutMs,
  );
  worker.once('message', resolve).once('error', fail).once('exit', fail);
  worker.ref();
  worker.postMessage(request);
  return promise.finally(() => {
    clearTimeout(timer);
    worker.off('message', resolve).off('error', fail).off('exit', fail);
    worker.unref();
  });
}
