import { defineConfig } from 'vitest/config';

/** What every run of CI boots: each start of a machine takes minutes, so a scene tries all that goes together. */
const SCENES = ['whole-way-usb', 'whole-way-install-disk', 'damaged-blob', 'preload-4.13'];

/** What CI boots in virtual machines, two at a time, as one leaves much of a second core; `npm run test:long` boots all there are. */
export default defineConfig({
  test: {
    include: SCENES.map((scene) => `test/long/scenes/${scene}.test.ts`),
    testTimeout: 600_000,
    hookTimeout: 600_000,
    globalSetup: ['test/support/build-once.ts'],
    maxWorkers: 2,
  },
});
