import { execFileSync } from 'node:child_process';
import { mkdtemp, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { createButane } from '../src/butane.ts';

const build = fileURLToPath(new URL('../scripts/build.mjs', import.meta.url));
let folder = '';
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'unavailable-test-'));
});
afterAll(() => rm(folder, { recursive: true, force: true }));

test('without the WebAssembly and a butane program translate tells how to get one', async () => {
  const wasmPath = join(folder, 'none.wasm');
  const error = await createButane({ wasmPath, env: { PATH: folder } })
    .translate('a: b')
    .catch((caught: unknown) => caught);
  expect(error).toMatchObject({ code: 'BUTANE_UNAVAILABLE' });
  for (const way of ['npm run build', 'Go 1.24', 'install butane', 'set BUTANE']) {
    expect(String(error)).toContain(way);
  }
});

test('a BUTANE that cannot be run is named', async () => {
  const env = { BUTANE: join(folder, 'none'), PATH: process.env.PATH };
  await expect(
    createButane({ wasmPath: join(folder, 'none.wasm'), env }).translate('a: b'),
  ).rejects.toMatchObject({
    code: 'BUTANE_UNAVAILABLE',
    message: expect.stringContaining(join(folder, 'none')),
  });
});

test('a butane that never ends is stopped', async () => {
  const slow = join(folder, 'butane');
  await writeFile(slow, `#!${process.execPath}\nsetInterval(() => {}, 1000);\n`, { mode: 0o755 });
  await expect(
    createButane({ wasmPath: join(folder, 'none.wasm'), env: { BUTANE: slow }, timeoutMs: 500 }).translate(
      'a: b',
    ),
  ).rejects.toMatchObject({
    code: 'BUTANE_TIMEOUT',
  });
});

test('without the WebAssembly validate and merge tell how to build it', async () => {
  const butane = createButane({ wasmPath: join(folder, 'none.wasm') });
  const expected = { code: 'IGNITION_UNAVAILABLE', message: expect.stringContaining('npm run build') };
  await expect(butane.validate('{}')).rejects.toMatchObject(expected);
  await expect(butane.merge('{}', '{}')).rejects.toMatchObject(expected);
});

test('a thread that cannot run the WebAssembly is an error and the process goes on', async () => {
  const wasmPath = join(folder, 'empty.wasm');
  // The eight bytes of a module with nothing in it.
  await writeFile(wasmPath, new Uint8Array([0, 0x61, 0x73, 0x6d, 1, 0, 0, 0]));
  await expect(createButane({ wasmPath }).validate('{}')).rejects.toMatchObject({ code: 'IGNITION_FAILED' });
});

test('a file that is no WebAssembly is an error and the process goes on', async () => {
  const wasmPath = join(folder, 'broken.wasm');
  await writeFile(wasmPath, 'not wasm');
  const butane = createButane({ wasmPath });
  await expect(butane.validate('{}')).rejects.toMatchObject({ code: 'IGNITION_FAILED' });
  await expect(butane.translate('a: b')).rejects.toMatchObject({ code: 'BUTANE_FAILED' });
});

test.each([
  ['is not there', undefined, 'Go is not there'],
  ['is too old', '#!/bin/sh\necho go1.19.8\n', 'Go is go1.19.8'],
])('the build ends well where Go %s', async (_name, go, said) => {
  const bin = await mkdtemp(join(folder, 'bin-'));
  // The build calls npm, node, tsc and a shell; everything but Go is linked in.
  for (const program of ['npm', 'sh', 'env']) {
    await symlink(execFileSync('which', [program], { encoding: 'utf8' }).trim(), join(bin, program));
  }
  if (go !== undefined) await writeFile(join(bin, 'go'), go, { mode: 0o755 });
  const path = [bin, dirname(process.execPath)].join(':');
  const printed = execFileSync(process.execPath, [build], {
    encoding: 'utf8',
    env: { ...process.env, PATH: path },
  });
  expect(printed).toContain(said);
  expect(printed).toContain('translate still works');
});
