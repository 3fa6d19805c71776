import type { Worker } from 'node:worker_threads';
import { ButaneError } from './butane-error.ts';
import { inOrder, type ReportEntry, reportOf } from './report.ts';
import type { WasmOrigin } from './wasm-origin.ts';
import type { WasmReply, WasmRequest } from './wasm-worker.ts';

/** WebAssembly memory never shrinks: an instance that has grown beyond this is not kept. */
const MAX_KEPT_BYTES = 256 * 1024 * 1024;

/** The wasm's answer: a config, or a code and a message; always the entries. */
export interface WasmAnswer {
  readonly ignition?: string;
  readonly code?: 'BUTANE_FAILED' | 'IGNITION_INVALID' | 'SPEC_VERSION_RAISED' | 'FIELD_LOST';
  readonly message?: string;
  readonly entries: readonly ReportEntry[];
  readonly isFatal: boolean;
}

export interface WasmEngine {
  /** Tells whether the WebAssembly is there. */
  isBuilt(): Promise<boolean>;
  /**
   * Puts one request to the WebAssembly; requests wait for one another. Throws IGNITION_UNAVAILABLE,
   * BUTANE_TIMEOUT or IGNITION_TIMEOUT, and BUTANE_FAILED or IGNITION_FAILED when the instance ended.
   */
  ask(request: WasmRequest): Promise<WasmAnswer>;
}

/**
 * Makes an engine that runs the WebAssembly in a worker thread, so that a document which takes for ever can
 * be stopped and a crash of the instance costs only the worker. It is compiled once, at the first
 * request; the thread is kept between requests and never keeps the process alive by itself.
 */
export function wasmEngine(origin: WasmOrigin, timeoutMs: number): WasmEngine {
  let compiled: Promise<WebAssembly.Module> | undefined;
  let worker: Worker | undefined;
  let queue: Promise<unknown> = Promise.resolve();

  async function ask(request: WasmRequest): Promise<WasmAnswer> {
    if (!(await origin.isThere())) {
      throw new ButaneError(
        `the WebAssembly is not built: want ${origin.name}. Install Go 1.24 or newer and run "npm run build".`,
        'IGNITION_UNAVAILABLE',
      );
    }
    const engine = request.operation === 'translate' ? 'BUTANE' : 'IGNITION';
    const failed = (message: string, cause?: unknown) =>
      new ButaneError(message, `${engine}_FAILED`, reportOf([]), cause);
    compiled ??= origin.load().then((bytes) => WebAssembly.compile(bytes));
    const module = await compiled.catch((cause: unknown) => {
      compiled = undefined;
      throw failed(`${origin.name} is no WebAssembly that can be run`, cause);
    });
    worker ??= startWorker(origin, module);
    const reply = await exchange(worker, request, timeoutMs).catch((cause: unknown) => ({ cause }));
    if (!('json' in reply) || reply.memoryBytes > MAX_KEPT_BYTES) {
      await worker.terminate();
      worker = undefined;
    }
    if ('json' in reply) {
      const answer = JSON.parse(reply.json) as WasmAnswer;
      return { ...answer, entries: inOrder(answer.entries) };
    }
    if ('ended' in reply) throw failed(`the WebAssembly gave up on ${request.operation}: ${reply.ended}`);
    if (reply.cause !== TIMED_OUT) throw failed('the WebAssembly worker ended early', reply.cause);
    throw new ButaneError(`${request.operation} took longer than ${timeoutMs} ms`, `${engine}_TIMEOUT`);
  }

  return {
    isBuilt: origin.isThere,
    ask(request) {
      const answer = queue.then(() => ask(request));
      queue = answer.catch(() => {});
      return answer;
    },
  };
}

const TIMED_OUT = Symbol('timed out');

function startWorker(origin: WasmOrigin, module: WebAssembly.Module): Worker {
  const worker = origin.startWorker({ module });
  worker.unref();
  return worker;
}

function exchange(worker: Worker, request: WasmRequest, timeoutMs: number): Promise<WasmReply> {
  const { promise, resolve, reject } = Promise.withResolvers<WasmReply>();
  const timer = setTimeout(() => reject(TIMED_OUT), timeoutMs);
  worker.once('message', resolve).once('error', reject).once('exit', reject);
  worker.ref();
  worker.postMessage(request, buffersOf(request));
  return promise.finally(() => {
    clearTimeout(timer);
    worker.off('message', resolve).off('error', reject).off('exit', reject);
    worker.unref();
  });
}

/** The buffers of the local files, which move to the worker instead of being copied. */
function buffersOf({ files }: WasmRequest): ArrayBuffer[] {
  const nodes = [...(files?.files.values() ?? [])];
  return nodes.flatMap((node) => (node.kind === 'file' ? [node.bytes.buffer] : []));
}
