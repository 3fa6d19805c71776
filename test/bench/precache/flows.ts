import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { digestHex } from '../../../src/oci/digest.ts';
import { writeImageSet } from '../../support/write-image-set.ts';
import type { PushedRelease } from './release-workload.ts';

/** One way to get the whole release onto a disk: a command that starts with an empty folder. */
export interface Flow {
  readonly name: string;
  readonly command: (folder: string) => readonly string[];
}

const PROGRAM = fileURLToPath(new URL('../../../bin/edgefab.js', import.meta.url));

/** edgefab precache of an image set that names every image. */
export function edgefabFlow(host: string, release: PushedRelease, parallel: number): Flow {
  return {
    name: `edgefab, ${parallel} streams`,
    command: (folder) => {
      const set = `${folder}.yaml`;
      writeImageSet(
        set,
        release.images.map(({ reference }) => `${host}/${reference}`),
      );
      const flags = ['--folder', folder, '--insecure', '--parallel', String(parallel), '--progress', 'none'];
      return [process.execPath, PROGRAM, 'precache', set, ...flags];
    },
  };
}

/** Runs a shell line for every image, some at a time; `$1` is the image, `$2` a name for files. */
function perImage(host: string, release: PushedRelease, workers: number, line: string) {
  return (folder: string): readonly string[] => {
    const list = `${folder}.list`;
    const names = release.images.map(({ reference }, at) => `${host}/${reference} image-${at}\n`);
    writeFileSync(list, names.join(''));
    const each = `cd ${folder} && xargs -a ${list} -P ${workers} -L 1 sh -e -c '${line}' image`;
    return ['sh', '-e', '-c', each];
  };
}

/** The flow of telco-ran-tools' download: each image with all architectures into a folder, packed, the folder removed. */
export function telcoFlow(host: string, release: PushedRelease, workers: number): Flow {
  const copy = 'skopeo copy --quiet --all --retry-times 10 --src-tls-verify=false "docker://$1" "dir:$2"';
  return {
    name: `telco-ran-tools flow, ${workers} workers`,
    command: perImage(host, release, workers, `${copy}; tar czf "$2.tgz" "$2"; rm -rf "$2"`),
  };
}

/** skopeo into OCI layouts that share one folder of blobs. */
export function skopeoFlow(host: string, release: PushedRelease, workers: number): Flow {
  const copy =
    'skopeo copy --quiet --all --src-tls-verify=false --dest-shared-blob-dir blobs "docker://$1" "oci:$2"';
  return {
    name: `skopeo, shared blobs, ${workers} at once`,
    command: perImage(host, release, workers, `mkdir -p blobs; ${copy}`),
  };
}

/** The limit of line, disk and CPU: curl the same blobs, flush the disk, hash every file with openssl. */
export function curlFlow(host: string, release: PushedRelease, parallel: number): Flow {
  return {
    name: `curl + sync + sha256, ${parallel} at once`,
    command: (folder) => {
      const config = `${folder}.curl`;
      const lines = release.amd64Blobs.map(
        ({ repository, digest }) =>
          `url = "http://${host}/v2/${repository}/blobs/${digest}"\noutput = "${join(folder, digestHex(digest))}"\n`,
      );
      writeFileSync(config, lines.join(''));
      const get = `curl --silent --show-error --fail -Z --parallel-max ${parallel} -K ${config}`;
      return [
        'sh',
        '-e',
        '-c',
        `${get}; sync -f ${folder}; openssl dgst -sha256 -r ${folder}/* > ${config}.sums`,
      ];
    },
  };
}
