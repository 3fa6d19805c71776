import { execFileSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { expect, it } from 'vitest';

it('resolves a catalog of 1 GiB in less than 512 MB of memory', () => {
  const flags = [
    '--experimental-strip-types',
    '--disable-warning=ExperimentalWarning',
    '--max-old-space-size=192',
  ];
  const program = fileURLToPath(new URL('../mirror/resolve/catalog/measure-catalog.ts', import.meta.url));
  const printed = execFileSync(process.execPath, [...flags, program, '1024'], { encoding: 'utf8' });
  const { packages, maxRssMiB } = JSON.parse(printed) as Record<string, number>;
  expect(packages).toBe(209);
  expect(maxRssMiB).toBeLessThan(488);
}, 300_000);
