import type { Document } from 'yaml';
import { decodePem } from '../../formats/pem.ts';
import { isLineOrLater, parseReleaseVersion } from '../../formats/release-version.ts';
import { installConfigError } from './install-config.ts';
import { isRepository, type RepositoryMirror, sortedMirrors } from './repository-mirror.ts';

/** What an install-config says about the registry on the machine, which serves all images on loopback. */
export interface InstallConfigRegistry {
  readonly mirrors: readonly RepositoryMirror[];
  /** The CA of the registry, as PEM. */
  readonly trustBundlePem: string;
  /** The release the installer is of: what the fields are called depends on it. */
  readonly releaseVersion: string;
}

/** One item of imageDigestSources or imageContentSources. Other keys (sourcePolicy) are kept. */
interface Source {
  readonly source: string;
  readonly mirrors: readonly string[];
}

const DIGEST_SOURCES = 'imageDigestSources';
const CONTENT_SOURCES = 'imageContentSources';
/** The registry listens on loopback; a proxy that does not know would be asked for it. */
const NO_PROXY = ['localhost', '127.0.0.1', '::1'];

function sourcesOf(document: Document, field: string): Source[] {
  const value: unknown = document.toJS()[field];
  if (value === undefined || value === null) return [];
  if (!Array.isArray(value)) throw installConfigError(field, 'want a list');
  return value.map((item: unknown, at): Source => {
    const bad = (): Error => installConfigError(`${field}[${at}]`, 'want source and mirrors');
    if (typeof item !== 'object' || item === null || !('source' in item)) throw bad();
    const { source } = item;
    const mirrors: unknown = 'mirrors' in item ? (item.mirrors ?? []) : [];
    if (typeof source !== 'string' || !Array.isArray(mirrors)) throw bad();
    if (!mirrors.every((mirror) => typeof mirror === 'string')) throw bad();
    return { ...item, source, mirrors };
  });
}

/** Puts our mirror first: it is on the machine, any other is asked only for what it has not. */
function withMirrors(sources: readonly Source[], mirrors: readonly RepositoryMirror[]): Source[] {
  const out = [...sources];
  for (const { source, mirror } of sortedMirrors(mirrors)) {
    const at = out.findIndex((each) => each.source === source);
    const known = out[at];
    if (known === undefined) out.push({ source, mirrors: [mirror] });
    else if (!known.mirrors.includes(mirror)) out[at] = { ...known, mirrors: [mirror, ...known.mirrors] };
  }
  return out;
}

function setMirrors(document: Document, registry: InstallConfigRegistry): void {
  const { mirrors, releaseVersion } = registry;
  const version = parseReleaseVersion(releaseVersion);
  if (version === undefined)
    throw installConfigError(
      CONTENT_SOURCES,
      `got release version "${releaseVersion.slice(0, 60)}", want one like 4.18.9`,
    );
  for (const { source, mirror } of mirrors) {
    const wrong = [source, mirror].find((name) => !isRepository(name));
    if (wrong !== undefined)
      throw installConfigError(
        'mirrors',
        `got "${wrong.slice(0, 300)}", want HOST/PATH without tag or digest`,
      );
  }
  // Installers up to 4.13 do not know imageDigestSources; later ones refuse a config that has both.
  const [field, other] = isLineOrLater(version, 4, 14)
    ? [DIGEST_SOURCES, CONTENT_SOURCES]
    : [CONTENT_SOURCES, DIGEST_SOURCES];
  const all = withMirrors([...sourcesOf(document, field), ...sourcesOf(document, other)], mirrors);
  document.delete(other);
  if (all.length > 0) document.set(field, document.createNode(all));
}

function setTrust(document: Document, trustBundlePem: string): void {
  const field = 'additionalTrustBundle';
  const blocks = decodePem(trustBundlePem);
  if (blocks.length === 0 || blocks.some(({ label }) => label !== 'CERTIFICATE'))
    throw installConfigError(field, 'want certificates as PEM, and nothing else (no private key)');
  const base: unknown = document.get(field) ?? '';
  if (typeof base !== 'string') throw installConfigError(field, 'want a text of PEM certificates');
  const known = new Set(decodePem(base).map(({ der }) => Buffer.from(der).toString('base64')));
  const there = blocks.every(({ der }) => known.has(Buffer.from(der).toString('base64')));
  const parts = [base, ...(there ? [] : [trustBundlePem])].map((part) => part.trim());
  document.set(field, `${parts.filter((part) => part !== '').join('\n')}\n`);
  // Proxyonly, the default, leaves the bundle out of the cluster unless there is a proxy.
  document.set('additionalTrustBundlePolicy', 'Always');
}

function setNoProxy(document: Document): void {
  const proxy: unknown = document.toJS().proxy;
  if (typeof proxy !== 'object' || proxy === null) return;
  const said: unknown = 'noProxy' in proxy ? (proxy.noProxy ?? '') : '';
  if (typeof said !== 'string') throw installConfigError('proxy.noProxy', 'want a text');
  const items = said.split(',').map((item) => item.trim());
  const known = items.filter((item) => item !== '');
  if (known.includes('*')) return;
  // The installer refuses spaces here.
  document.setIn(['proxy', 'noProxy'], [...new Set([...known, ...NO_PROXY])].join(','));
}

/**
 * Puts the registry on the machine into an install-config: mirrors beside those that are there, its CA after the
 * certificates that are there, and loopback past a proxy. Throws INSTALL_CONFIG_INVALID naming the field.
 */
export function setRegistryFields(document: Document, registry: InstallConfigRegistry): void {
  setMirrors(document, registry);
  setTrust(document, registry.trustBundlePem);
  setNoProxy(document);
}
