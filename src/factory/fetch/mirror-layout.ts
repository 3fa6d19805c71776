import { EdgefabError } from '../../errors.ts';
import type { ReleaseVersion } from '../../formats/release-version.ts';
import { compareReleaseVersions, parseReleaseVersion } from '../../formats/release-version.ts';
import { platformType } from '../../mirror/imageset/release-sources.ts';
import { architectureOf } from '../../oci/architecture.ts';

/** A release's clients lie in one folder with their `sha256sum.txt`. `{arch}` is a machine name. */
const PUBLIC_MIRROR = 'https://mirror.openshift.com/pub/openshift-v4/{arch}/clients';
const OKD_RELEASES = 'https://github.com/okd-project/okd/releases/download/{version}/';

/** Says where a release's clients are published: an address with `{arch}` and `{version}` in it. */
export function publicMirror(version: ReleaseVersion): string {
  if (platformType(version) === 'okd') return OKD_RELEASES;
  // Engineering candidates and nightlies are not among the releases.
  const isEarly = version.prerelease.some((part) => part === 'ec' || part === 'nightly');
  return `${PUBLIC_MIRROR}/${isEarly ? 'ocp-dev-preview' : 'ocp'}/{version}/`;
}

/** Parses an address a user gave. Throws USAGE_INVALID, never showing a password in it. */
export function parseWebAddress(text: string, flag: string): URL {
  const bad = (why: string): EdgefabError =>
    new EdgefabError(`${flag} ${why}`, {
      code: 'USAGE_INVALID',
      suggestions: [`Write it as ${flag} https://HOST/FOLDER/; names and passwords belong in --authfile`],
    });
  if (!URL.canParse(text)) throw bad('is not an address');
  const url = new URL(text);
  if (url.protocol !== 'https:' && url.protocol !== 'http:') throw bad('is not an http or https address');
  if (url.username !== '' || url.password !== '') throw bad('holds a name or password');
  return url;
}

/** Fills an address in for a release; it names the folder that holds `sha256sum.txt`. Throws USAGE_INVALID. */
export function mirrorFolder(template: string, version: string, arch: string): URL {
  const filled = template.replaceAll('{version}', encodeURIComponent(version)).replaceAll('{arch}', arch);
  return parseWebAddress(filled.endsWith('/') ? filled : `${filled}/`, '--mirror');
}

/** The folder of all releases, where the address has one: what stands before `{version}/`. */
export function releasesFolder(template: string, arch: string): URL | undefined {
  const before = /^(.*\/)\{version\}\/?$/.exec(template.replaceAll('{arch}', arch))?.[1];
  return before === undefined || before.includes('{') ? undefined : parseWebAddress(before, '--mirror');
}

const MOST_NAMED = 8;

/** Reads the releases of the same minor out of a web server's folder listing, newest first. */
export function listedReleases(html: string, like: ReleaseVersion): string[] {
  const versions = [...html.matchAll(/href="(?:[^"]{0,500}\/)?([0-9][0-9A-Za-z.+-]{0,60})\/"/g)]
    .flatMap(([, name = '']) => parseReleaseVersion(name) ?? [])
    .filter(({ major, minor }) => major === like.major && minor === like.minor);
  const distinct = new Map(versions.map((version) => [version.text, version]));
  return [...distinct.values()]
    .sort((a, b) => compareReleaseVersions(b, a))
    .slice(0, MOST_NAMED)
    .map(({ text }) => text);
}

/**
 * Finds the archive with the installer that runs on this machine, among the names of `sha256sum.txt`. Names with
 * the version in them come first; an installer for another architecture than its release's says so in its name.
 */
export function installerArchive(
  names: ReadonlySet<string>,
  version: string,
  { release, machine }: { readonly release: string; readonly machine: string },
): string | undefined {
  const own = `openshift-install-linux-${architectureOf(machine) ?? machine}`;
  const stems = release === machine ? ['openshift-install-linux', own] : [own];
  return stems
    .flatMap((stem) => [`${stem}-${version}.tar.gz`, `${stem}.tar.gz`])
    .find((name) => names.has(name));
}
