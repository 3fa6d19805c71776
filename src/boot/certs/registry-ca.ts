import { createPrivateKey, createPublicKey, type KeyObject, X509Certificate } from 'node:crypto';
import { EdgefabError } from '../../errors.ts';
import { parseIp } from '../../formats/ip-address.ts';
import { encodePem } from '../../formats/pem.ts';
import type { Host } from '../../host/host.ts';
import { type CertificateNames, caExtensions, EXTENSION, leafExtensions } from './certificate-extensions.ts';
import { extensionValue, subjectName } from './certificate-fields.ts';
import { makeKey } from './make-key.ts';
import { refusedNames } from './name-constraints.ts';
import { certificateName, keyIdentifier, signCertificate, type Validity } from './sign-certificate.ts';

/** A certificate and its key as PEM texts; the key is PKCS 8 and a secret. */
export interface KeyPair {
  readonly certPem: string;
  readonly keyPem: string;
}

/** The authority of the registries on the machines of one factory. Its key stays on the workstation. */
export interface RegistryCa extends KeyPair {
  readonly certificate: X509Certificate;
}

/** What the registry on a machine is called by its clients. */
export const LOOPBACK: CertificateNames = { names: ['localhost'], addresses: ['127.0.0.1', '::1'] };

export interface RegistryCaOptions extends Validity {
  /** Further names the CA may sign for, such as api-int.CLUSTER.DOMAIN; each allows the names below it too. */
  readonly names?: readonly string[];
  /** Further addresses the CA may sign for. */
  readonly addresses?: readonly string[];
}

const SUBJECT = ['edgefab', 'edgefab registry CA'] as const;
// RFC 1123 section 2.1; the registry's names are never wildcards.
const DNS_NAME =
  /^(?=.{1,253}$)[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?(?:\.[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?)*$/;

function unfit(what: string, got: string, want: string): EdgefabError {
  return new EdgefabError(`registry certificate: ${what}: got "${got.slice(0, 300)}", want ${want}`, {
    code: 'USAGE_INVALID',
  });
}

function checkNames({ names, addresses }: CertificateNames): void {
  for (const name of names)
    if (!DNS_NAME.test(name) || parseIp(name) !== undefined)
      throw unfit('name', name, 'a DNS name in lower case');
  for (const address of addresses)
    if (parseIp(address) === undefined) throw unfit('address', address, 'an IPv4 or IPv6 address');
}

/**
 * Says how long the registry's CA and certificates last, from the time of the build alone: from the first day
 * of the year twenty years before it, because a dead clock starts anywhere, to the last day of the year thirty
 * years after it, because they must outlive the machine.
 */
export function registryValidity(buildTime: Date): Validity {
  const year = buildTime.getUTCFullYear();
  return {
    notBefore: new Date(Date.UTC(year - 20, 0, 1)),
    notAfter: new Date(Date.UTC(year + 30, 11, 31, 23, 59, 59)),
  };
}

function keyPair(der: Uint8Array, key: KeyObject): KeyPair {
  return {
    certPem: encodePem({ label: 'CERTIFICATE', der }),
    keyPem: key.export({ type: 'pkcs8', format: 'pem' }).toString(),
  };
}

/**
 * Makes the CA of a factory's registries: it can sign leaves only, and only for loopback and the names given, so
 * that a machine that trusts it need not trust it for anything else. Throws USAGE_INVALID.
 */
export function makeRegistryCa(
  { notBefore, notAfter, names = [], addresses = [] }: RegistryCaOptions,
  host: Pick<Host, 'randomBytes'>,
): RegistryCa {
  const permitted: CertificateNames = {
    names: [...new Set([...LOOPBACK.names, ...names])],
    addresses: [...new Set([...LOOPBACK.addresses, ...addresses])],
  };
  checkNames(permitted);
  if (!(notBefore.getTime() < notAfter.getTime()))
    throw unfit(
      'validity',
      `${notBefore.toISOString()} to ${notAfter.toISOString()}`,
      'an end after the start',
    );
  const key = makeKey(host);
  const publicKey = createPublicKey(key);
  const name = certificateName(...SUBJECT);
  const der = signCertificate(
    {
      subject: name,
      issuer: name,
      validity: { notBefore, notAfter },
      publicKey,
      extensions: caExtensions(keyIdentifier(publicKey), permitted),
    },
    key,
  );
  return { ...keyPair(der, key), certificate: new X509Certificate(der) };
}

/** The key identifier in a certificate; the one its key would get when it carries none. */
function keyIdOf(certificate: X509Certificate): Uint8Array {
  const carried = extensionValue(certificate, EXTENSION.subjectKeyIdentifier);
  return carried?.content ?? keyIdentifier(certificate.publicKey);
}

/**
 * Issues the certificate of the registry on one machine, as long as its CA lasts; loopback is always in it.
 * Throws USAGE_INVALID, CERTIFICATES_INVALID for a name the CA may not sign for.
 */
export function issueRegistryLeaf(
  ca: RegistryCa,
  { names, addresses }: CertificateNames,
  host: Pick<Host, 'randomBytes'>,
): KeyPair {
  const all: CertificateNames = {
    names: [...new Set([...LOOPBACK.names, ...names])],
    addresses: [...new Set([...LOOPBACK.addresses, ...addresses])],
  };
  checkNames(all);
  const { certificate } = ca;
  const refused = refusedNames(certificate, all);
  if (refused.length > 0) {
    throw new EdgefabError(
      `registry certificate: got ${refused.join(', ')}, want names the registry CA may sign for (its name constraints leave them out)`,
      {
        code: 'CERTIFICATES_INVALID',
        suggestions: ['Leave these names out, or make a registry CA that allows them'],
      },
    );
  }
  const key = makeKey(host);
  const publicKey = createPublicKey(key);
  const der = signCertificate(
    {
      subject: certificateName('edgefab', 'edgefab registry'),
      issuer: subjectName(certificate),
      validity: { notBefore: certificate.validFromDate, notAfter: certificate.validToDate },
      publicKey,
      extensions: leafExtensions(keyIdentifier(publicKey), keyIdOf(certificate), all),
    },
    createPrivateKey(ca.keyPem),
  );
  return keyPair(der, key);
}
