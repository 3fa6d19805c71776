import { X509Certificate } from 'node:crypto';
import { mkdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import {
  issueRegistryLeaf,
  makeRegistryCa,
  type RegistryCa,
  registryValidity,
} from '../boot/certs/registry-ca.ts';
import { loadRegistryCa, writeRegistryCa } from '../boot/certs/registry-ca-folder.ts';
import type { RegistryCertificates } from '../boot/patch/registry-certificates.ts';
import { EdgefabError, hasCode } from '../errors.ts';
import type { Host } from '../host/host.ts';
import { writeFileDurably } from '../mirror/store/write-file-durably.ts';

/** Where a factory's registry CA is kept below its output folder, unless the factory names a folder. */
const CA_FOLDER = 'registry-ca';

/**
 * Gets the CA of the registries on a factory's machines: the one of its folder, or a new one, which is then kept.
 * Machines trust it as long as they live. Throws CERTIFICATES_INVALID.
 */
export async function registryCa(
  folder: string,
  buildTime: Date,
  host: Pick<Host, 'now' | 'randomBytes'>,
): Promise<RegistryCa> {
  const known = await loadRegistryCa(folder, host);
  if (known !== undefined) return known;
  const made = makeRegistryCa(registryValidity(buildTime), host);
  try {
    await writeRegistryCa(folder, made);
    return made;
  } catch (error) {
    // Another process that builds for the same factory was first: its CA is the one.
    const theirs = hasCode(error, 'TARGET_EXISTS') ? await loadRegistryCa(folder, host) : undefined;
    if (theirs === undefined) throw error;
    return theirs;
  }
}

/** The folder of a factory's registry CA. */
export function registryCaFolder({
  registry,
  paths,
}: {
  readonly registry: { readonly ca?: string };
  readonly paths: { readonly out: string };
}): string {
  return registry.ca ?? join(paths.out, CA_FOLDER);
}

/**
 * Gets the certificate of the registry on one machine: the one kept in its folder while the CA stands behind it, or a
 * new one, which is then kept (key 0600). Throws CERTIFICATES_INVALID.
 */
export async function registryLeaf(
  folder: string,
  ca: RegistryCa,
  host: Pick<Host, 'randomBytes'>,
): Promise<RegistryCertificates> {
  const paths = { certificate: join(folder, 'registry.crt'), key: join(folder, 'registry.key') };
  const kept = await keptPair(paths.certificate, paths.key);
  if (kept !== undefined && issuedBy(ca, kept.certificatePem, paths.certificate))
    return { caPem: ca.certPem, ...kept };
  const made = issueRegistryLeaf(ca, { names: [], addresses: [] }, host);
  await mkdir(folder, { recursive: true, mode: 0o700 });
  await writeFileDurably(paths.key, made.keyPem, 0o600);
  await writeFileDurably(paths.certificate, made.certPem, 0o600);
  return { caPem: ca.certPem, certificatePem: made.certPem, keyPem: made.keyPem };
}

async function keptPair(
  certificate: string,
  key: string,
): Promise<{ certificatePem: string; keyPem: string } | undefined> {
  try {
    return { certificatePem: await readFile(certificate, 'utf8'), keyPem: await readFile(key, 'utf8') };
  } catch (error) {
    if (hasCode(error, 'ENOENT')) return undefined;
    throw error;
  }
}

function issuedBy(ca: RegistryCa, certificatePem: string, path: string): boolean {
  try {
    return new X509Certificate(certificatePem).verify(ca.certificate.publicKey);
  } catch (cause) {
    throw new EdgefabError(`${path} holds no certificate that can be read`, {
      code: 'CERTIFICATES_INVALID',
      suggestions: ['Remove it together with the key beside it: a new pair is made'],
      place: { file: path },
      cause,
    });
  }
}
