import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { type Butane, createButane } from 'butane-wasm';

/** Whether the WebAssembly with Butane and Ignition was built. */
export const HAS_WASM = existsSync(fileURLToPath(new URL('butane.wasm', import.meta.resolve('butane-wasm'))));
export const NEEDS_WASM = HAS_WASM ? '' : ' (SKIPPED: WebAssembly not built, run npm run build)';

/** An installation without the WebAssembly and without a butane program. */
export function noButane(): Butane {
  return createButane({ wasmPath: '/nonexistent/butane.wasm', env: {} });
}
