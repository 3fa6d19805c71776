import { defineConfig } from 'vitest/config';

/** What takes minutes and what CI does not wait for: `npm run test:long`. */
export default defineConfig({
  test: {
    include: ['test/long/**/*.test.ts'],
    testTimeout: 600_000,
    hookTimeout: 600_000,
    globalSetup: ['test/support/build-once.ts'],
    fileParallelism: false,
  },
});
