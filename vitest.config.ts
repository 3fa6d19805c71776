import { defineConfig } from 'vitest/config';

export default defineConfig({
  test: {
    include: ['test/**/*.test.ts', 'packages/*/test/**/*.test.ts'],
    exclude: ['**/node_modules/**', 'test/long/**'],
    // One for each core: most of the time a test waits for a program it started.
    maxWorkers: '100%',
    testTimeout: 60_000,
    hookTimeout: 120_000,
    globalSetup: ['test/support/build-once.ts'],
  },
});
