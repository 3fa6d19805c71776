import { X509Certificate } from 'node:crypto';
import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { createSecureContext } from 'node:tls';
import { EdgefabError, hasCode } from '../errors.ts';
import type { Host } from '../host/host.ts';
import { readConfigFile } from './read-config-file.ts';

/** TLS material for one registry; PEM texts. */
export interface RegistryCertificates {
  readonly authorities: readonly string[];
  readonly client: readonly { readonly certificate: string; readonly key: string }[];
}

/** A registry without a folder of its own. */
export const NO_CERTIFICATES: RegistryCertificates = { authorities: [], client: [] };

/** The largest bundles of authorities have some 250 KiB. */
const MAX_FILE_BYTES = 1024 * 1024;
const MAX_FILES = 100;

function invalid(file: string, what: string, cause?: unknown): EdgefabError {
  return new EdgefabError(`${file}: ${what}`, {
    code: 'CERTIFICATES_INVALID',
    place: { file },
    suggestions: ['A certs.d folder holds CA.crt, and CLIENT.cert with CLIENT.key (containers-certs.d(5))'],
    ...(cause === undefined ? {} : { cause }),
  });
}

async function readPem(file: string): Promise<string> {
  const pem = await readConfigFile(file, {
    maxBytes: MAX_FILE_BYTES,
    tooLarge: 'CERTIFICATES_INVALID',
    what: 'the certificate file',
  });
  if (pem === undefined) throw invalid(file, 'is gone, or a link that leads nowhere');
  return pem;
}

/** The folder's files; undefined when there is no such folder, or it is not ours to read. */
async function filesIn(folder: string): Promise<string[] | undefined> {
  try {
    return (await readdir(folder)).sort();
  } catch (cause) {
    if (['ENOENT', 'ENOTDIR', 'EACCES', 'EPERM'].some((code) => hasCode(cause, code))) return undefined;
    throw new EdgefabError(`${folder} cannot be read`, {
      code: 'FILE_UNREADABLE',
      place: { file: folder },
      cause,
    });
  }
}

async function readAuthority(file: string): Promise<string> {
  const pem = await readPem(file);
  try {
    new X509Certificate(pem);
    return pem;
  } catch (cause) {
    throw invalid(file, 'is not a PEM certificate', cause);
  }
}

async function readClient(folder: string, name: string): Promise<{ certificate: string; key: string }> {
  const file = join(folder, `${name}.cert`);
  const certificate = await readPem(file);
  const key = await readPem(join(folder, `${name}.key`));
  try {
    createSecureContext({ cert: certificate, key });
  } catch {
    // The reason may quote the key.
    throw invalid(file, `and ${name}.key are not a client certificate and its key`);
  }
  return { certificate, key };
}

async function readFolder(folder: string, names: readonly string[]): Promise<RegistryCertificates> {
  if (names.length > MAX_FILES)
    throw invalid(folder, `holds ${names.length} files, want at most ${MAX_FILES}`);
  const having = (suffix: string): string[] =>
    names.flatMap((name) => (name.endsWith(suffix) ? [name.slice(0, -suffix.length)] : []));
  const [certificates, keys] = [having('.cert'), having('.key')];
  for (const name of certificates)
    if (!keys.includes(name))
      throw invalid(join(folder, `${name}.cert`), `has no ${name}.key beside it; a CA’s name ends in .crt`);
  for (const name of keys)
    if (!certificates.includes(name))
      throw invalid(join(folder, `${name}.key`), `has no ${name}.cert beside it`);
  return {
    authorities: await Promise.all(having('.crt').map((name) => readAuthority(join(folder, `${name}.crt`)))),
    client: await Promise.all(certificates.map((name) => readClient(folder, name))),
  };
}

/**
 * Reads what is laid down for a registry (HOST:PORT) in certs.d: the first of the user's own folder,
 * `ETC/containers` and `ETC/docker` that has one (containers-certs.d(5)). Throws CERTIFICATES_INVALID and
 * FILE_UNREADABLE.
 */
export async function loadRegistryCertificates(
  domain: string,
  host: Pick<Host, 'env' | 'homeDir'>,
  etc = '/etc',
): Promise<RegistryCertificates> {
  const config = host.env.XDG_CONFIG_HOME || join(host.homeDir, '.config');
  for (const parent of [join(config, 'containers'), join(etc, 'containers'), join(etc, 'docker')]) {
    const folder = join(parent, 'certs.d', domain);
    const names = await filesIn(folder);
    if (names !== undefined) return readFolder(folder, names);
  }
  return NO_CERTIFICATES;
}
