import { EdgefabError } from '../../errors.ts';
import { type Architecture, architectureOf } from '../../oci/architecture.ts';

/** Parses what a user gives as `--arch`, in kernel or OCI words. Throws USAGE_INVALID. */
export function parseArchitecture(text: string): Architecture {
  const found = architectureOf(text);
  if (found !== undefined) return found;
  throw new EdgefabError(`architecture "${text}" is not known: want x86_64, aarch64, ppc64le or s390x`, {
    code: 'USAGE_INVALID',
  });
}
