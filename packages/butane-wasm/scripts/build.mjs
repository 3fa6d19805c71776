import { execFileSync } from 'node:child_process';
import { mkdirSync, statSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

const packageFolder = fileURLToPath(new URL('..', import.meta.url));
const wasm = fileURLToPath(new URL('../dist/butane.wasm', import.meta.url));

execFileSync('npm', ['run', '--silent', 'build:ts'], { cwd: packageFolder, stdio: 'inherit' });

const problem = goProblem();
if (problem === undefined) {
  mkdirSync(fileURLToPath(new URL('../dist', import.meta.url)), { recursive: true });
  // -checklinkname=0: see go/executable.go.
  const linker = '-s -w -checklinkname=0';
  execFileSync('go', ['build', '-buildmode=c-shared', '-trimpath', '-ldflags', linker, '-o', wasm, '.'], {
    cwd: fileURLToPath(new URL('../go', import.meta.url)),
    env: { ...process.env, GOOS: 'wasip1', GOARCH: 'wasm', CGO_ENABLED: '0', GOTOOLCHAIN: 'local' },
    stdio: 'inherit',
  });
  process.stdout.write(`butane-wasm: built ${wasm}, ${statSync(wasm).size} bytes\n`);
} else {
  process.stdout.write(
    `butane-wasm: WebAssembly not built, ${problem} (want Go 1.24 or newer on PATH). ` +
      'translate still works with a butane program on PATH; validate and merge need the WebAssembly.\n',
  );
}

function goProblem() {
  let version;
  try {
    version = execFileSync('go', ['env', 'GOVERSION'], {
      encoding: 'utf8',
      env: { ...process.env, GOTOOLCHAIN: 'local' },
    }).trim();
  } catch {
    return 'Go is not there';
  }
  const [, major, minor] = /^go(\d+)\.(\d+)/.exec(version) ?? [];
  if (Number(major) > 1 || (Number(major) === 1 && Number(minor) >= 24)) return undefined;
  return `Go is ${version}`;
}
