import { onTestFinished } from 'vitest';
import { storePaths } from '../../src/mirror/store/store-paths.ts';
import { type DockerRegistry, startDockerRegistry } from './docker-registry.ts';

/** Serves the registry view of a cache read-only, with Debian's docker-registry, until the test is over. */
export async function serveView(root: string): Promise<DockerRegistry> {
  const registry = await startDockerRegistry({ storageDir: storePaths.registryView(root), readOnly: true });
  onTestFinished(() => registry.close());
  return registry;
}
