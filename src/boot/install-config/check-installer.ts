import { EdgefabError, hasCode } from '../../errors.ts';
import { showText } from '../../formats/shown-text.ts';
import type { Host } from '../../host/host.ts';

/** Which openshift-install is wanted; any where a part is left out. */
export interface WantedInstaller {
  /** The openshift-install program. */
  readonly installer: string;
  readonly version?: string;
  /** `sha256:HEX` of the release image. */
  readonly releaseDigest?: string;
  /** The architecture of the release, in Go's words: amd64, arm64, … */
  readonly arch?: string;
}

/** What an installer says of itself. */
export interface InstallerVersion {
  readonly version: string;
  /** The release image it installs unless told otherwise. */
  readonly releaseImage?: string;
  readonly arch?: string;
}

const FETCH = 'edgefab fetch gets the installer of the release';

/** It says so when it was built for all, or when it was not told. */
const ANY_ARCH: ReadonlySet<string> = new Set(['multi', 'unknown']);

/**
 * Reads the output of `openshift-install version`: `PROGRAM VERSION`, then lines of `release image REF` and
 * `release architecture ARCH`, which not every version prints. Undefined when the first line is another one.
 */
function parseVersion(stdout: string): InstallerVersion | undefined {
  // The program's name may be a path with blanks.
  const version = /^.*\S v?(\S{1,100})\s*$/m.exec(stdout.slice(0, 64 * 1024).split('\n')[0] ?? '')?.[1];
  if (version === undefined) return undefined;
  const releaseImage = /^release image (\S+)\s*$/m.exec(stdout)?.[1];
  const arch = /^release architecture (\S+)\s*$/m.exec(stdout)?.[1];
  return {
    version,
    ...(releaseImage === undefined ? {} : { releaseImage }),
    ...(arch === undefined ? {} : { arch }),
  };
}

async function askVersion(installer: string, host: Pick<Host, 'run'>): Promise<InstallerVersion> {
  const result = await host.run(installer, ['version']).catch((cause: unknown) => {
    if (!hasCode(cause, 'TOOL_MISSING')) throw cause;
    throw new EdgefabError(`the installer ${installer} is not there, or not on PATH`, {
      code: 'TOOL_MISSING',
      suggestions: [FETCH, 'Or give every site a ready Ignition config with ignition: FILE'],
      cause,
    });
  });
  const said = result.exitCode === 0 ? parseVersion(result.stdout) : undefined;
  if (said !== undefined) return said;
  const how =
    result.exitCode === undefined
      ? 'cannot be run: is it executable, and for this machine?'
      : result.exitCode === 0
        ? 'does not say its version'
        : `version ended with status ${result.exitCode}`;
  throw new EdgefabError(`the installer ${installer} ${how}`, { code: 'TOOL_FAILED', suggestions: [FETCH] });
}

/**
 * Asks an installer what it is of, and holds it against what is wanted. Throws TOOL_MISSING, TOOL_FAILED,
 * INSTALLER_VERSION_MISMATCH for another version, release image or architecture.
 */
export async function checkInstaller(
  wanted: WantedInstaller,
  host: Pick<Host, 'run'>,
): Promise<InstallerVersion> {
  const { installer, version, releaseDigest, arch } = wanted;
  const said = await askVersion(installer, host);
  const mismatch = (got: string, want: string): EdgefabError =>
    new EdgefabError(`the installer ${installer} is of release ${showText(got, 200)}, want ${want}`, {
      code: 'INSTALLER_VERSION_MISMATCH',
      suggestions: [`Get the right one: edgefab fetch${version === undefined ? '' : ` (${version})`}`],
    });
  if (version !== undefined && said.version !== version) throw mismatch(said.version, version);
  // A tag says nothing of the image's bytes; then the version has to do.
  const digest = /@(sha256:[0-9a-f]{64})$/.exec(said.releaseImage ?? '')?.[1];
  if (releaseDigest !== undefined && digest !== undefined && digest !== releaseDigest)
    throw mismatch(`${said.version} with the release image ${said.releaseImage}`, releaseDigest);
  if (arch !== undefined && said.arch !== undefined && !ANY_ARCH.has(said.arch) && said.arch !== arch)
    throw mismatch(`${said.version} for ${said.arch}`, `one for ${arch}`);
  return said;
}
