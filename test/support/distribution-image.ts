import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { digestHex } from '../../src/oci/digest.ts';
import { blobsOf, type MadeImage } from './made-image.ts';
import { hasProgram, programFiles } from './program-layer.ts';
import { makeRunnableImage } from './runnable-image.ts';

/** An image in a cache folder: the name it is loaded under, and its `dir:` view relative to the cache. */
export interface ToolImage {
  readonly reference: string;
  readonly view: string;
}

const PROGRAM = '/usr/bin/docker-registry';

/** Whether the double can be made here: Debian's docker-registry on x86_64. */
export const HAS_DISTRIBUTION_DOUBLE = hasProgram(PROGRAM);

/**
 * Makes a double of the pinned distribution image: Debian's docker-registry 2.8 with the libraries it wants. It
 * differs from the real one in its program's path and in having no other files; like it, it has a volume, a start
 * script's name as entrypoint and a port.
 */
export async function distributionImage(program = 'bin/registry'): Promise<MadeImage> {
  return await makeRunnableImage({
    layers: [programFiles(program, PROGRAM)],
    config: {
      Entrypoint: ['/entrypoint.sh'],
      Cmd: ['/etc/docker/registry/config.yml'],
      Volumes: { '/var/lib/registry': {} },
      ExposedPorts: { '5000/tcp': {} },
    },
  });
}

/** Puts the double into a cache folder as a `dir:` view. */
export async function makeDistributionImage(cache: string, program?: string): Promise<ToolImage> {
  const image = await distributionImage(program);
  const hex = digestHex(image.digest);
  const view = `views/dir/docker.io/library/registry@sha256-${hex}`;
  mkdirSync(join(cache, view), { recursive: true });
  writeFileSync(join(cache, view, 'version'), 'Directory Transport Version: 1.1\n');
  writeFileSync(join(cache, view, 'manifest.json'), image.manifest);
  for (const { digest, bytes } of blobsOf(image)) writeFileSync(join(cache, view, digestHex(digest)), bytes);
  return { reference: `docker.io/library/registry@sha256:${hex}`, view };
}
