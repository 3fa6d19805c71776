import { createPrivateKey, type KeyObject, X509Certificate } from 'node:crypto';
import { type FileHandle, mkdir, mkdtemp, open, rename, rm } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { EdgefabError, hasCode } from '../../errors.ts';
import type { Host } from '../../host/host.ts';
import { refusedNames } from './name-constraints.ts';
import { LOOPBACK, type RegistryCa } from './registry-ca.ts';

const CERTIFICATE = 'ca.crt';
const KEY = 'ca.key';
/** A certificate and a key are a few KiB; a bundle of hundreds is no CA of ours. */
const MAX_BYTES = 256 * 1024;
/** P-256 and its larger sisters, by the names node:crypto has for them. */
const CURVES = ['prime256v1', 'secp384r1', 'secp521r1'];
const MIN_RSA_BITS = 2048;

async function readBounded(path: string): Promise<string | undefined> {
  let file: FileHandle | undefined;
  try {
    file = await open(path, 'r');
    const bytes = Buffer.alloc(MAX_BYTES + 1);
    const { bytesRead } = await file.read(bytes, 0, bytes.length, 0);
    if (bytesRead > MAX_BYTES) throw unfit(path, `it has more than ${MAX_BYTES} bytes`);
    return bytes.subarray(0, bytesRead).toString('latin1');
  } catch (cause) {
    if (hasCode(cause, 'ENOENT')) return undefined;
    if (cause instanceof EdgefabError) throw cause;
    throw new EdgefabError(`the registry CA's file ${path} cannot be read`, {
      code: 'FILE_UNREADABLE',
      place: { file: path },
      cause,
    });
  } finally {
    await file?.close();
  }
}

function unfit(file: string, why: string, cause?: unknown): EdgefabError {
  return new EdgefabError(`registry CA ${file}: ${why}`, {
    code: 'CERTIFICATES_INVALID',
    suggestions: ['Give a folder with the ca.crt and ca.key edgefab made, or let it make new ones'],
    place: { file },
    ...(cause === undefined ? {} : { cause }),
  });
}

function parseCertificate(file: string, text: string): X509Certificate {
  if (text.split('-----BEGIN CERTIFICATE-----').length !== 2)
    throw unfit(file, 'want one certificate as PEM, the CA itself');
  try {
    return new X509Certificate(text);
  } catch (cause) {
    throw unfit(file, 'its certificate cannot be read', cause);
  }
}

function parseKey(file: string, text: string): KeyObject {
  let key: KeyObject;
  try {
    key = createPrivateKey(text);
  } catch {
    // The cause may quote the key.
    throw unfit(file, 'want a private key as PEM, without a passphrase');
  }
  const { asymmetricKeyType, asymmetricKeyDetails: details } = key;
  const fits =
    (asymmetricKeyType === 'ec' && CURVES.includes(details?.namedCurve ?? '')) ||
    (asymmetricKeyType === 'rsa' && (details?.modulusLength ?? 0) >= MIN_RSA_BITS);
  if (fits) return key;
  throw unfit(
    file,
    `got a key of type ${asymmetricKeyType}, want ECDSA on a NIST curve or RSA of at least ${MIN_RSA_BITS} bits`,
  );
}

/** Checks what a machine would check, and what the key must be; each failure says which file and why. */
function checkCa(file: string, certificate: X509Certificate, key: KeyObject, now: Date): void {
  if (!certificate.checkPrivateKey(key)) throw unfit(file, `its key is not the one in ${KEY}`);
  if (!certificate.ca) throw unfit(file, 'it is no CA (basicConstraints), so no client takes what it signs');
  if (!certificate.verify(certificate.publicKey) || certificate.subject !== certificate.issuer)
    throw unfit(file, 'it is not signed by itself; want a root, which is all a machine gets');
  const { validFromDate: from, validToDate: to } = certificate;
  if (to.getTime() <= now.getTime()) throw unfit(file, `it ended on ${to.toISOString()}`);
  if (from.getTime() > now.getTime()) throw unfit(file, `it begins only on ${from.toISOString()}`);
  const refused = refusedNames(certificate, LOOPBACK);
  if (refused.length > 0)
    throw unfit(file, `its name constraints leave out ${refused.join(', ')}, where the registry listens`);
}

/**
 * Loads the registry CA kept in a folder as `ca.crt` and `ca.key`, whoever made it. Undefined when the folder has
 * neither. Throws CERTIFICATES_INVALID when they do not fit each other or the purpose, FILE_UNREADABLE.
 */
export async function loadRegistryCa(
  folder: string,
  { now }: Pick<Host, 'now'>,
): Promise<RegistryCa | undefined> {
  const paths = { certificate: join(folder, CERTIFICATE), key: join(folder, KEY) };
  const certPem = await readBounded(paths.certificate);
  const keyPem = await readBounded(paths.key);
  if (certPem === undefined && keyPem === undefined) return undefined;
  if (certPem === undefined) throw unfit(folder, `it has ${KEY} but no ${CERTIFICATE}`);
  if (keyPem === undefined) throw unfit(folder, `it has ${CERTIFICATE} but no ${KEY}`);
  const certificate = parseCertificate(paths.certificate, certPem);
  checkCa(paths.certificate, certificate, parseKey(paths.key, keyPem), now());
  // Without what else stood in the file.
  return { certPem: certificate.toString(), keyPem, certificate };
}

async function writeNew(path: string, text: string, mode: number): Promise<void> {
  try {
    const file = await open(path, 'wx', mode);
    try {
      // The mode given to open is cut by the umask.
      await file.chmod(mode);
      await file.writeFile(text);
      await file.sync();
    } finally {
      await file.close();
    }
  } catch (cause) {
    const there = hasCode(cause, 'EEXIST');
    throw new EdgefabError(
      there ? `${path} is there already` : `the registry CA's file ${path} cannot be written`,
      {
        code: there ? 'TARGET_EXISTS' : 'FILE_UNREADABLE',
        suggestions: there ? ['Use the CA that is there: machines may trust it'] : [],
        place: { file: path },
        cause,
      },
    );
  }
}

async function writePair(folder: string, ca: RegistryCa): Promise<void> {
  await writeNew(join(folder, KEY), ca.keyPem, 0o600);
  await writeNew(join(folder, CERTIFICATE), ca.certPem, 0o644);
}

/**
 * Writes a registry CA into a folder, `ca.key` (0600) and `ca.crt` (0644), once: machines trust it for as long as
 * they live, so what is there is never replaced. A new folder appears with both in it or not at all. Throws
 * TARGET_EXISTS, FILE_UNREADABLE.
 */
export async function writeRegistryCa(folder: string, ca: RegistryCa): Promise<void> {
  await mkdir(dirname(folder), { recursive: true, mode: 0o700 });
  const made = await mkdtemp(`${folder}.`);
  try {
    await writePair(made, ca);
    await rename(made, folder);
  } catch (error) {
    // A folder of the user's own, with other files in it, stays.
    if (!hasCode(error, 'ENOTEMPTY') && !hasCode(error, 'EEXIST')) throw error;
    await writePair(folder, ca);
  } finally {
    await rm(made, { recursive: true, force: true });
  }
}
