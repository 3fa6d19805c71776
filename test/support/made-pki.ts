import { createPublicKey, generateKeyPairSync, type KeyObject } from 'node:crypto';
import { EXTENSION } from '../../src/boot/certs/certificate-extensions.ts';
import { certificateName, keyIdentifier, signCertificate } from '../../src/boot/certs/sign-certificate.ts';
import type { DemoFile } from '../../src/factory/demo/demo-ignition-options.ts';
import {
  derBitString,
  derBoolean,
  derContext,
  derObjectIdentifier,
  derOctetString,
  derSequence,
} from '../../src/formats/der.ts';
import { encodePem } from '../../src/formats/pem.ts';

export const DAY_MS = 86_400_000;
/** When the made-up installer ran, and later, when certificates are extended. */
export const MADE_AT = new Date('2026-11-01T00:00:00Z');
export const EXTENDED_AT = new Date('2026-11-21T12:00:00Z');

/** Kinds of keys an installer writes, each in its own encoding. */
export const KEY_KINDS = ['RSA PKCS#1', 'RSA PKCS#8', 'P-256 SEC1', 'P-384 PKCS#8', 'P-521 PKCS#8'] as const;
export type KeyKind = (typeof KEY_KINDS)[number];

const CURVES = { 'P-256 SEC1': 'P-256', 'P-384 PKCS#8': 'P-384', 'P-521 PKCS#8': 'P-521' } as const;
const rsaKeys: KeyObject[] = [];

/** Makes key number `at` of a kind; RSA keys are made once a process, since each takes a while. */
export function madeKey(kind: KeyKind, at: number): KeyObject {
  if (kind !== 'RSA PKCS#1' && kind !== 'RSA PKCS#8')
    return generateKeyPairSync('ec', { namedCurve: CURVES[kind] }).privateKey;
  const key = rsaKeys[at] ?? generateKeyPairSync('rsa', { modulusLength: 2048 }).privateKey;
  rsaKeys[at] = key;
  return key;
}

export function keyPem(kind: KeyKind, key: KeyObject): string {
  const type = kind === 'RSA PKCS#1' ? 'pkcs1' : kind === 'P-256 SEC1' ? 'sec1' : 'pkcs8';
  return key.export({ type: type as 'pkcs8', format: 'pem' }).toString();
}

/** A certificate and its key, of which some are in no file. */
export interface Made {
  readonly der: Uint8Array;
  readonly pem: string;
  readonly key: KeyObject;
  readonly subject: Uint8Array;
}

export interface MadeOptions {
  readonly organization: string;
  readonly commonName: string;
  readonly key: KeyObject;
  /** Signs itself without one. */
  readonly issuer?: Made | undefined;
  readonly ca?: boolean;
  readonly from?: Date;
  readonly days: number;
  readonly dns?: readonly string[];
  /** Further extensions, as DER. */
  readonly extensions?: readonly Uint8Array[];
}

function extension(oid: string, critical: boolean, value: Uint8Array): Uint8Array {
  const flag = critical ? [derBoolean(true)] : [];
  return derSequence(derObjectIdentifier(oid), ...flag, derOctetString(value));
}

/** Makes a certificate as the installer does: critical usage and constraints, SKI and AKI, client and server use. */
export function madeCertificate(options: MadeOptions): Made {
  const { key, issuer, ca = false, from = MADE_AT, days, dns = [] } = options;
  const publicKey = createPublicKey(key);
  const subject = certificateName(options.organization, options.commonName);
  const issuerId = keyIdentifier(createPublicKey((issuer?.key ?? key) as KeyObject));
  // digitalSignature, keyEncipherment, and for a CA keyCertSign (RFC 5280 section 4.2.1.3).
  const usage = ca ? derBitString(Buffer.of(0b1010_0100), 2) : derBitString(Buffer.of(0b1010_0000), 5);
  const uses = ['1.3.6.1.5.5.7.3.1', '1.3.6.1.5.5.7.3.2'].map(derObjectIdentifier);
  const names = dns.map((name) => derContext(2, Buffer.from(name, 'latin1'), 'primitive'));
  const der = signCertificate(
    {
      subject,
      issuer: issuer?.subject ?? subject,
      validity: { notBefore: from, notAfter: new Date(from.getTime() + days * DAY_MS) },
      publicKey,
      extensions: [
        extension(EXTENSION.keyUsage, true, usage),
        ...(ca ? [] : [extension(EXTENSION.extendedKeyUsage, false, derSequence(...uses))]),
        extension(EXTENSION.basicConstraints, true, ca ? derSequence(derBoolean(true)) : derSequence()),
        extension(EXTENSION.subjectKeyIdentifier, false, derOctetString(keyIdentifier(publicKey))),
        extension(EXTENSION.authorityKeyIdentifier, false, derSequence(derContext(0, issuerId, 'primitive'))),
        ...(names.length === 0 ? [] : [extension(EXTENSION.subjectAltName, false, derSequence(...names))]),
        ...(options.extensions ?? []),
      ],
    },
    issuer?.key ?? key,
  );
  return { der, pem: encodePem({ label: 'CERTIFICATE', der }), key, subject };
}

/** A critical extension nobody knows (an arc for examples). */
export const ODD_EXTENSION = extension('2.999.1', true, derSequence());

const TLS = '/opt/openshift/tls/';
const DOMAIN = 'bip.example.com';
const TEN_YEARS = 3650;

/** CAs as the installer has them: name, days, and whether their key is in the config. */
const CAS = [
  ['root-ca', TEN_YEARS, false],
  ['admin-kubeconfig-signer', TEN_YEARS, false],
  ['aggregator-ca', 1, true],
  ['aggregator-signer', 1, true],
  ['kube-apiserver-localhost-signer', TEN_YEARS, true],
  ['kube-apiserver-lb-signer', TEN_YEARS, true],
  ['kube-control-plane-signer', 365, true],
  ['kubelet-signer', 1, true],
  ['kubelet-bootstrap-kubeconfig-signer', TEN_YEARS, false],
] as const;

/** Leaves: name, issuer, days, DNS names, whether the issuer follows in a chain. */
const LEAVES = [
  ['apiserver-proxy', 'aggregator-ca', 1, [], false],
  ['aggregator-client', 'aggregator-signer', 1, [], false],
  ['kube-apiserver-localhost-server', 'kube-apiserver-localhost-signer', 1, ['localhost'], true],
  ['kube-apiserver-lb-server', 'kube-apiserver-lb-signer', 1, [`api.${DOMAIN}`], true],
  ['kube-apiserver-internal-lb-server', 'kube-apiserver-lb-signer', 1, [`api-int.${DOMAIN}`], true],
  ['kube-control-plane-kube-scheduler-client', 'kube-control-plane-signer', 365, [], false],
  ['kubelet-client', 'kubelet-bootstrap-kubeconfig-signer', TEN_YEARS, [], false],
  ['machine-config-server', 'root-ca', TEN_YEARS, [`api-int.${DOMAIN}`], false],
] as const;

const BUNDLES: Readonly<Record<string, readonly string[]>> = {
  'admin-kubeconfig-ca-bundle': ['admin-kubeconfig-signer'],
  'aggregator-ca-bundle': ['aggregator-signer'],
  'kube-apiserver-lb-ca-bundle': ['kube-apiserver-lb-signer'],
  'kube-apiserver-complete-server-ca-bundle': ['kube-apiserver-localhost-signer', 'kube-apiserver-lb-signer'],
  'kube-apiserver-complete-client-ca-bundle': [
    'admin-kubeconfig-signer',
    'kubelet-signer',
    'kube-control-plane-signer',
    'kubelet-bootstrap-kubeconfig-signer',
  ],
  'kube-control-plane-ca-bundle': ['kube-control-plane-signer', 'kube-apiserver-lb-signer'],
  'kubelet-client-ca-bundle': ['kubelet-signer'],
  'kubelet-serving-ca-bundle': ['kubelet-signer'],
  'kubelet-bootstrap-kubeconfig-ca-bundle': ['kubelet-bootstrap-kubeconfig-signer'],
};

export interface MadePkiOptions {
  /** Kind of the signers' keys. */
  readonly signers?: KeyKind;
  /** Kind of the leaves' keys. */
  readonly leaves?: KeyKind;
  readonly madeAt?: Date;
}

function base64(text: string): string {
  return Buffer.from(text).toString('base64');
}

/** A made-up set of the installer's TLS files, kubeconfig, and a Secret whose user data is a config with a CA. */
export function installerFiles(options: MadePkiOptions = {}): DemoFile[] {
  const { signers = 'RSA PKCS#1', leaves = signers, madeAt: from = MADE_AT } = options;
  const files: DemoFile[] = [];
  const add = (path: string, text: string, mode = 0o600): void => {
    files.push({ path, mode, text });
  };
  let keys = 0;
  const cas = new Map<string, Made>();
  for (const [name, days, withKey] of CAS) {
    const key = madeKey(signers, keys++);
    const made = madeCertificate({ organization: 'openshift', commonName: name, key, ca: true, days, from });
    cas.set(name, made);
    if (withKey) add(`${TLS}${name}.key`, keyPem(signers, key));
    if (withKey || name === 'root-ca') add(`${TLS}${name}.crt`, made.pem);
  }
  const issue = (commonName: string, issuer: string, days: number, dns: readonly string[]): Made =>
    madeCertificate({
      organization: commonName === 'system:admin' ? 'system:masters' : 'kube-master',
      commonName,
      key: madeKey(leaves, keys++),
      issuer: cas.get(issuer),
      days,
      dns,
      from,
    });
  for (const [name, issuer, days, dns, chain] of LEAVES) {
    const made = issue(name, issuer, days, dns);
    add(`${TLS}${name}.key`, keyPem(leaves, made.key));
    add(`${TLS}${name}.crt`, chain ? `${made.pem}\n${cas.get(issuer)?.pem}` : made.pem);
  }
  const bundle = (names: readonly string[]): string => names.map((name) => cas.get(name)?.pem ?? '').join('');
  for (const [name, names] of Object.entries(BUNDLES)) add(`${TLS}${name}.crt`, bundle(names));
  const admin = issue('system:admin', 'admin-kubeconfig-signer', TEN_YEARS, []);
  add(
    '/opt/openshift/auth/kubeconfig',
    [
      'clusters:',
      '- cluster:',
      `    certificate-authority-data: ${base64(bundle(BUNDLES['kube-apiserver-complete-server-ca-bundle'] ?? []))}`,
      `    server: https://api-int.${DOMAIN}:6443`,
      'users:',
      '- name: admin',
      '  user:',
      `    client-certificate-data: ${base64(admin.pem)}`,
      `    client-key-data: ${base64(keyPem(leaves, admin.key))}`,
      '',
    ].join('\n'),
  );
  const pointer = {
    ignition: {
      security: {
        tls: {
          certificateAuthorities: [
            { source: `data:text/plain;charset=utf-8;base64,${base64(bundle(['kubelet-signer']))}` },
          ],
        },
      },
      version: '3.2.0',
    },
  };
  add(
    '/opt/openshift/openshift/99_openshift-cluster-api_master-user-data-secret.yaml',
    `apiVersion: v1\nkind: Secret\ndata:\n  userData: ${base64(JSON.stringify(pointer))}\n`,
    0o644,
  );
  return files;
}
