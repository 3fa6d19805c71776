import { X509Certificate } from 'node:crypto';
import { EdgefabError } from '../../errors.ts';
import { decodePem } from '../../formats/pem.ts';
import type { NewFile } from '../ignition/edit-ignition.ts';
import { fileBytes } from '../ignition/file-contents.ts';
import type { Ignition } from '../ignition/ignition.ts';
import { machineConfigManifest } from './machine-config.ts';
import { unfitValue } from './machine-values.ts';
import { isRecord, manifestFile, manifestOf } from './manifest-file.ts';

const ANCHORS = '/etc/pki/ca-trust/source/anchors/';
/**
 * The file the machine-config-operator reads in the bootstrap for what every node is to trust, by this very name,
 * and whatever the Proxy object says; in the cluster it reads the ConfigMap.
 */
const USER_BUNDLE = '/opt/openshift/manifests/user-ca-bundle-config.yaml';
const BUNDLE_KEY = 'ca-bundle.crt';

function certificatesIn(text: string): X509Certificate[] {
  return decodePem(text).flatMap(({ label, der }) => {
    if (label !== 'CERTIFICATE') return [];
    try {
      return [new X509Certificate(der)];
    } catch {
      return []; // not ours, whatever it is
    }
  });
}

/** Reads the one CA certificate. Throws USAGE_INVALID for anything else, a private key above all. */
function parseCa(caPem: string): X509Certificate {
  const [certificate, ...others] = certificatesIn(caPem);
  const want = 'the certificate of one CA as PEM, and nothing else';
  const blocks = decodePem(caPem);
  if (certificate === undefined || others.length > 0 || blocks.length !== 1 || !certificate.ca)
    throw unfitValue('registry CA', blocks.map(({ label }) => label).join(', '), want);
  return certificate;
}

/** Tells whether a text holds the CA. Throws REGISTRY_CA_MISMATCH when it holds another one of the same name. */
function holds(ignition: Ignition, path: string, text: string, ca: X509Certificate): boolean {
  const named = certificatesIn(text).filter(({ subject }) => subject === ca.subject);
  if (named.some(({ fingerprint256 }) => fingerprint256 === ca.fingerprint256)) return true;
  const [other] = named;
  if (other === undefined) return false;
  throw new EdgefabError(
    `${ignition.where}: ${path}: got another registry CA (SHA-256 ${other.fingerprint256}), want the one given (${ca.fingerprint256})`,
    {
      code: 'REGISTRY_CA_MISMATCH',
      suggestions: [
        'Give the registry CA this config was made with',
        'Start again from a config that is made for this registry CA, or not patched yet',
      ],
      place: { file: ignition.where, field: path },
    },
  );
}

/** What stands under the live system's trust anchors has the CA already. */
function isAnchored(ignition: Ignition, ca: X509Certificate): boolean {
  const anchors = ignition.files.filter(({ path }) => path.startsWith(ANCHORS));
  const found = anchors.map((file) => {
    const text = Buffer.from(fileBytes(ignition, file) ?? []).toString('latin1');
    return holds(ignition, file.path, text, ca);
  });
  return found.includes(true);
}

function userBundle(ignition: Ignition, ca: X509Certificate): NewFile | undefined {
  const manifest = manifestOf(ignition, USER_BUNDLE);
  const data = isRecord(manifest?.data) ? manifest.data : {};
  const bundle = data[BUNDLE_KEY];
  const said = typeof bundle === 'string' ? bundle.trim() : '';
  if (holds(ignition, USER_BUNDLE, said, ca)) return undefined;
  return manifestFile(USER_BUNDLE, {
    apiVersion: 'v1',
    kind: 'ConfigMap',
    metadata: { name: 'user-ca-bundle', namespace: 'openshift-config' },
    ...manifest,
    data: { ...data, [BUNDLE_KEY]: `${said === '' ? '' : `${said}\n`}${ca.toString().trim()}\n` },
  });
}

/**
 * Plans the files that make both phases trust the registry's CA: anchors of the system trust, and its own place
 * for podman, CRI-O and rpm-ostree, which holds before the system trust is built. Bundles that are there are
 * kept, and appended to. Throws USAGE_INVALID, REGISTRY_CA_MISMATCH, IGNITION_INVALID.
 */
export function registryTrust(ignition: Ignition, caPem: string, port: number): NewFile[] {
  const ca = parseCa(caPem);
  const text = `${ca.toString().trim()}\n`;
  const anchor: NewFile = { path: `${ANCHORS}edgefab-registry-ca.crt`, mode: 0o644, text };
  const own: NewFile = { path: `/etc/containers/certs.d/localhost:${port}/ca.crt`, mode: 0o644, text };
  const bundle = userBundle(ignition, ca);
  return [
    ...(isAnchored(ignition, ca) ? [] : [anchor]),
    own,
    ...(bundle === undefined ? [] : [bundle]),
    machineConfigManifest({ name: '99-edgefab-registry-trust', files: [anchor, own], units: [] }),
  ];
}
