import { EdgefabError, hasCode } from '../../errors.ts';
import { asDiskFull } from './disk-full.ts';

/** What a disk says when it is gone, worn out or turned read-only under a run. */
const WORDS: Readonly<Record<string, string>> = {
  EROFS: 'it is mounted read-only now',
  EIO: 'it reports an input/output error',
  ENXIO: 'it is gone',
  ENODEV: 'it is gone',
  ENOENT: 'its folder is gone',
  EFBIG: 'its file system does not take files this large',
};

/** Turns an error of writing into DISK_FULL or DISK_FAILED, naming the file; errors of ours stay as they are. */
export function asDiskFault(error: unknown, path: string): EdgefabError {
  const full = asDiskFull(error, path);
  if (full instanceof EdgefabError) return full;
  const code = Object.keys(WORDS).find((known) => hasCode(error, known));
  const words = code === undefined ? '' : `: ${WORDS[code]}`;
  return new EdgefabError(`the disk cannot be written, ${path}${words}`, {
    code: 'DISK_FAILED',
    suggestions: ['Check the disk and its cable, mount it again, and run the same command: it goes on'],
    place: { file: path },
    cause: error,
  });
}
