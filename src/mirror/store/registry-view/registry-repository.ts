import { EdgefabError } from '../../../errors.ts';
import { parseIp } from '../../../formats/ip-address.ts';
import { printable } from '../../../oci/printable.ts';
import { isRepositoryPath, parseReference } from '../../../oci/reference.ts';

/**
 * Clients count the mirror's own `localhost:PORT/` (up to 16 characters) into the 255 a repository name may have
 * (github.com/distribution/reference, NameTotalLengthMax).
 */
const MAX_CHARACTERS = 255 - 'localhost:65535/'.length;

/**
 * Names the repository under which a registry over a cache serves the images of `source` (HOST[:PORT]/PATH): the
 * same text, save that the colon of a port is `__`, as a repository name has none and no host name holds `__`. An
 * IPv6 host is its eight groups in hex. Throws REFERENCE_INVALID for what is no source, or one too long to be
 * asked for.
 */
export function registryRepository(source: string): string {
  const { domain, path, tag, digest } = parseReference(source);
  const name = `${hostComponent(domain)}/${path}`;
  if (tag === undefined && digest === undefined && isRepositoryPath(name) && name.length <= MAX_CHARACTERS)
    return name;
  throw new EdgefabError(
    `"${printable(source, 300)}" cannot be served by a registry: want HOST/PATH with no tag or digest, of at most ${MAX_CHARACTERS} characters, got ${name.length}`,
    { code: 'REFERENCE_INVALID', place: { image: printable(source, 300) } },
  );
}

function hostComponent(domain: string): string {
  const [, address, port] = /^\[([^\]]*)\](?::(\d+))?$/.exec(domain) ?? [];
  // Host names are the same in either case (RFC 4343); repository names are lower case.
  if (address === undefined) return domain.toLowerCase().replace(':', '__');
  const value = parseIp(address)?.value;
  // A zone is of one machine: no name another one could ask for.
  if (value === undefined) return '';
  const groups = Array.from({ length: 8 }, (_, at) =>
    ((value >> BigInt(16 * (7 - at))) & 0xffffn).toString(16),
  );
  return [...groups, ...(port === undefined ? [] : [port])].join('__');
}
