import { execFileSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { expect, it } from 'vitest';

// The long test next door does the same with 1 GiB; here both bounds are below what the unpacked bytes alone would take.
it('resolves a catalog of 60 MiB with a heap of 32 MiB', () => {
  const flags = [
    '--experimental-strip-types',
    '--disable-warning=ExperimentalWarning',
    '--max-old-space-size=32',
  ];
  const program = fileURLToPath(new URL('./measure-catalog.ts', import.meta.url));
  const printed = execFileSync(process.execPath, [...flags, program, '60'], { encoding: 'utf8' });
  const { packages, images, maxRssMiB } = JSON.parse(printed) as Record<string, number>;
  // 20 images and a bundle for each head.
  expect({ packages, images }).toEqual({ packages: 13, images: 13 * 21 });
  expect(maxRssMiB).toBeLessThan(240);
});
