import { EdgefabError } from '../../errors.ts';
import { type Certificate, isIssuedBy, keyIdentifiers } from './certificate.ts';
import { issuersOf, outsideCas, type Pki } from './read-pki.ts';
import { CHECKED_AGAINST } from './trust-places.ts';

/** Something in a PKI that no install survives: where it is, and what. */
export interface PkiFault {
  readonly path: string;
  readonly message: string;
}

/** The certificates of each text, in order. */
function byPath(pki: Pki): Map<string, Certificate[]> {
  const texts = new Map<string, Certificate[]>();
  for (const { path, certificate } of pki.occurrences)
    texts.set(path, [...(texts.get(path) ?? []), certificate]);
  return texts;
}

/** How a Secret and a kubeconfig name a pair that stands in one text. */
const PAIRED = [/\btls\.crt\b[\s\S]*\btls\.key\b/, /\bclient-certificate-data:[\s\S]*\bclient-key-data:/];

/** Pairs by the installer's names, NAME.crt and NAME.key, and by standing in one Secret or kubeconfig. */
function pairFaults(pki: Pki, texts: ReadonlyMap<string, readonly Certificate[]>): PkiFault[] {
  const inOne = pki.parts.flatMap(({ path, certificates, keys, rest }): PkiFault[] => {
    const lost = keys.some(({ publicKey }) => !certificates.some((each) => each.publicKey === publicKey));
    const inner = lost ? decodedText(rest) : '';
    if (!PAIRED.some((pattern) => pattern.test(inner))) return [];
    return [{ path, message: 'its private key belongs to none of its certificates' }];
  });
  const inTwo = pki.keys.flatMap(({ path, publicKey }): PkiFault[] => {
    const first = path.endsWith('.key') ? texts.get(path.replace(/\.key$/, '.crt'))?.[0] : undefined;
    if (first === undefined || first.publicKey === publicKey) return [];
    return [{ path, message: `it is not the key of the certificate beside it, ${first.subject}` }];
  });
  return [...inOne, ...inTwo];
}

/** What a part of a config says: the text of a file is in a data URL there. */
function decodedText(rest: string): string {
  const encoded = /;base64,([A-Za-z0-9+/=]+)$/.exec(rest)?.[1];
  return encoded === undefined ? rest : Buffer.from(encoded, 'base64').toString('latin1');
}

/** A certificate whose issuer is here by name and key identifier must really be signed by it. */
function chainFaults(pki: Pki): PkiFault[] {
  const issuers = issuersOf(pki);
  const outside = outsideCas(pki, issuers);
  // A trust bundle may hold roots of the nineties, signed in ways nobody checks any more.
  const all = [...pki.certificates.values()].filter(({ id }) => !outside.has(id));
  const firstPath = (id: string): string =>
    pki.occurrences.find(({ certificate }) => certificate.id === id)?.path ?? '';
  return all.flatMap((each): PkiFault[] => {
    const path = firstPath(each.id);
    const wanted = keyIdentifiers(each);
    const issuer = issuers.get(each.id);
    if (issuer === undefined) {
      const named = all.some(
        (other) =>
          other.names.subject === each.names.issuer &&
          wanted.issuer !== '' &&
          keyIdentifiers(other).own === wanted.issuer,
      );
      return named
        ? [{ path, message: `${each.subject}: its issuer's key does not verify its signature` }]
        : [];
    }
    const own = keyIdentifiers(issuer).own;
    if (wanted.issuer === '' || own === '' || own === wanted.issuer) return [];
    return [
      { path, message: `${each.subject}: its authority key identifier is not that of ${issuer.subject}` },
    ];
  });
}

/** What the installer lets be checked against a bundle must verify against it. */
function trustFaults(texts: ReadonlyMap<string, readonly Certificate[]>): PkiFault[] {
  return Object.entries(CHECKED_AGAINST).flatMap(([path, bundles]) => {
    const leaf = texts.get(path)?.find(({ kind }) => kind === 'leaf');
    if (leaf === undefined) return [];
    return bundles.flatMap((bundle): PkiFault[] => {
      const cas = texts.get(bundle);
      // A config of an installer that writes no such bundle has nothing to check against.
      if (cas === undefined || cas.some((ca) => verifies(leaf, ca))) return [];
      return [{ path, message: `${leaf.subject} does not verify against ${bundle}` }];
    });
  });
}

function verifies(leaf: Certificate, ca: Certificate): boolean {
  return ca.kind === 'ca' && isIssuedBy(leaf, ca) && leaf.x509.checkIssued(ca.x509);
}

/**
 * Lists what does not belong together in a PKI: keys and certificates, key identifiers, signatures, and leaves
 * with the bundles their consumers check them against.
 */
function pkiFaults(pki: Pki): PkiFault[] {
  const texts = byPath(pki);
  return [...pairFaults(pki, texts), ...chainFaults(pki), ...trustFaults(texts)];
}

/** Throws CERTIFICATES_INVALID with every fault of a PKI. */
export function assertSoundPki(pki: Pki): void {
  const faults = pkiFaults(pki);
  if (faults.length === 0) return;
  const lines = faults.map(({ path, message }) => `  ${path}: ${message}`);
  throw new EdgefabError(
    `${pki.where}: its certificates and keys do not belong together, so no install would work:\n${lines.join('\n')}`,
    {
      code: 'CERTIFICATES_INVALID',
      suggestions: ['Make a new Ignition config with openshift-install'],
      place: { file: pki.where },
      faults: faults.map(({ path, message }) => ({ place: { file: pki.where, field: path }, message })),
    },
  );
}
