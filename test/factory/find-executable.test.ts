import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { findExecutable } from '../../src/factory/find-executable.ts';
import { tempFolder } from '../support/temp-folder.ts';

/** The first bytes of an ELF file: class, byte order and machine are what counts. */
function elf(machine: number, { bits = 2, order = 1 } = {}): Buffer {
  const header = Buffer.alloc(64);
  header.set([0x7f, 0x45, 0x4c, 0x46, bits, order, 1]);
  header.writeUInt16LE(machine, 18);
  return header;
}

function file(bytes: Uint8Array): string {
  const path = join(tempFolder(), 'edgefab-linux');
  writeFileSync(path, bytes);
  return path;
}

test.each([
  ['x86_64', 62],
  ['aarch64', 183],
])('one for %s is taken', async (arch, machine) => {
  const path = file(elf(machine));
  expect(await findExecutable(path, arch)).toBe(path);
});

test.each([
  ['one for another machine', elf(183), 'it is for aarch64'],
  ['one for a machine nobody installs', elf(243), 'it is for ELF machine 243'],
  ['a 32-bit one', elf(62, { bits: 1 }), 'no 64-bit ELF'],
  ['a big-endian one', elf(62, { order: 2 }), 'no 64-bit ELF'],
  ['a script', Buffer.from('#!/usr/bin/env node\nimport "./main.js";\n'), 'no 64-bit ELF'],
  ['one cut off', elf(62).subarray(0, 19), 'no 64-bit ELF'],
  ['an empty file', Buffer.alloc(0), 'no 64-bit ELF'],
])('%s is refused when it is named', async (_, bytes, said) => {
  const path = file(bytes);
  await expect(findExecutable(path, 'x86_64')).rejects.toMatchObject({
    code: 'EXECUTABLE_UNFIT',
    exitCode: 3,
    message: expect.stringContaining(said),
    suggestions: [expect.stringContaining('npm run build:exe')],
  });
});

test.each([
  ['a name that leads nowhere', () => join(tempFolder(), 'none')],
  ['a folder', () => tempFolder()],
])('%s is refused', async (_, path) => {
  await expect(findExecutable(path(), 'x86_64')).rejects.toMatchObject({ code: 'EXECUTABLE_UNFIT' });
});

test('no machine but those of Node is looked for, and none is found', async () => {
  expect(await findExecutable(undefined, 's390x')).toBeUndefined();
  await expect(findExecutable(file(elf(22)), 's390x')).rejects.toMatchObject({ code: 'EXECUTABLE_UNFIT' });
});
