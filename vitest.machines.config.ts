import { defineConfig } from 'vitest/config';

/** What CI boots in virtual machines, one at a time: of all that is in test/long, what the others stand on. */
export default defineConfig({
  test: {
    include: ['clock-and-second-card', 'node-image-4.21', 'wrong-label'].map(
      (scene) => `test/long/scenes/${scene}.test.ts`,
    ),
    testTimeout: 600_000,
    hookTimeout: 600_000,
    globalSetup: ['test/support/build-once.ts'],
    fileParallelism: false,
  },
});
