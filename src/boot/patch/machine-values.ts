import { EdgefabError } from '../../errors.ts';

// What shell scripts and units on the machine read: only characters that mean nothing to a shell.
const REFERENCE = /^[A-Za-z0-9][A-Za-z0-9.-]*(?::[0-9]+)?\/[a-z0-9._/-]+@sha256:[0-9a-f]{64}$/;
const VIEW = /^[A-Za-z0-9._+@:-]+(?:\/[A-Za-z0-9._+@:-]+)*$/;
const CACHE_ID = /^[A-Za-z0-9._:-]{1,128}$/;

/** GPT names hold 36 characters; of those, the ones that are the same to udev, lsblk and a shell. */
const PARTITION_LABEL = /^[A-Za-z0-9][A-Za-z0-9._-]{0,35}$/;

/** Makes the refusal of a value that would reach the machine: what it is, got, want. */
export function unfitValue(what: string, got: string, want: string): EdgefabError {
  return new EdgefabError(`${what}: got "${got.slice(0, 300)}", want ${want}`, { code: 'USAGE_INVALID' });
}

/** Makes sure a partition label needs no quoting anywhere. Throws USAGE_INVALID. */
export function checkPartitionLabel(label: string): string {
  if (PARTITION_LABEL.test(label)) return label;
  throw unfitValue(
    'partition label',
    label,
    '1 to 36 letters, digits, . _ and -, the first a letter or digit',
  );
}

/** Makes sure the id of a cache needs no quoting. Throws USAGE_INVALID. */
export function checkCacheId(id: string | undefined): void {
  if (id === undefined || CACHE_ID.test(id)) return;
  throw unfitValue('cache id', id, 'up to 128 letters, digits and . _ : -');
}

/** Makes sure an image is named by its digest, in characters that need no quoting. Throws USAGE_INVALID. */
export function checkPinnedImage(what: string, reference: string): void {
  if (!REFERENCE.test(reference)) throw unfitValue(what, reference, 'HOST/PATH@sha256:HEX');
}

/** Makes sure a view stays inside the cache and needs no quoting. Throws USAGE_INVALID. */
export function checkView(reference: string, view: string): void {
  if (!VIEW.test(view) || view.split('/').includes('..'))
    throw unfitValue(`view of ${reference}`, view, 'a relative path inside the cache');
}
