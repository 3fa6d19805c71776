/** Exit statuses a script may branch on (CONTRACTS: exit status). */
const EXIT_STATUS = {
  bug: 1,
  usage: 2,
  input: 3,
  refused: 4,
  incomplete: 5,
  corrupt: 6,
  device: 7,
  registry: 8,
  sitesFailed: 9,
  rehearsalFailed: 10,
} as const;

type ExitKind = keyof typeof EXIT_STATUS;

/** Every error edgefab throws on purpose, with the kind of exit it ends in. Extend, never rename. */
const ERROR_KINDS = {
  USAGE_INVALID: 'usage',
  FILE_UNREADABLE: 'input',
  FACTORY_INVALID: 'input',
  IMAGESET_INVALID: 'input',
  IMAGESET_UNSUPPORTED: 'input',
  LOCK_INVALID: 'input',
  REFERENCE_INVALID: 'input',
  DIGEST_INVALID: 'input',
  AUTHFILE_INVALID: 'input',
  REGISTRIES_CONF_INVALID: 'input',
  CERTIFICATES_INVALID: 'input',
  RECEIPT_INVALID: 'input',
  SIGNING_KEY_INVALID: 'input',
  SITE_UNKNOWN: 'usage',
  IGNITION_INVALID: 'input',
  IGNITION_NOT_BIP: 'input',
  INSTALL_CONFIG_INVALID: 'input',
  BUTANE_INVALID: 'input',
  MANIFEST_FILE_INVALID: 'input',
  ISO_INVALID: 'input',
  ISO_CHANGED: 'input',
  TABLE_BACKUP_INVALID: 'input',
  DATA_URL_INVALID: 'input',
  CPIO_INVALID: 'input',
  PCAP_INVALID: 'input',
  ZSTD_INVALID: 'input',
  RELEASE_UNKNOWN: 'input',
  GRAPH_INVALID: 'input',
  PAYLOAD_INVALID: 'input',
  PAYLOAD_ARCH_MISMATCH: 'input',
  FILTER_INVALID: 'input',
  KEYRING_INVALID: 'input',
  EXECUTABLE_UNFIT: 'input',
  CATALOG_CONTENT_UNKNOWN: 'input',
  CATALOG_FILTER_INVALID: 'input',
  INSTALLER_TEXT_UNKNOWN: 'refused',
  IGNITION_SPEC_TOO_NEW: 'refused',
  INSTALLER_VERSION_MISMATCH: 'refused',
  EMBED_AREA_MISSING: 'refused',
  EMBED_AREA_FULL: 'refused',
  EMBED_AREA_OCCUPIED: 'refused',
  KARGS_AREA_FULL: 'refused',
  KARGS_AREA_OCCUPIED: 'refused',
  ISO_BUSY: 'refused',
  ISO_UNFINISHED: 'refused',
  SPACE_SHORT: 'refused',
  FILESYSTEM_UNFIT: 'refused',
  LOCK_STALE: 'refused',
  TOOL_MISSING: 'refused',
  CACHE_INCOMPLETE: 'refused',
  CACHE_BUSY: 'refused',
  SITE_BUSY: 'refused',
  IGNITION_STALE: 'refused',
  DELTA_BASE_MISSING: 'refused',
  CERTIFICATE_HORIZON: 'refused',
  CERTIFICATE_LIFE_INVALID: 'refused',
  CERTIFICATE_PROOF_FAILED: 'bug',
  MODE_UNSUPPORTED: 'refused',
  MIRROR_MISSING: 'refused',
  REGISTRY_CA_MISMATCH: 'refused',
  CAPABILITY_DISABLED: 'refused',
  TARGET_EXISTS: 'refused',
  TOOL_FAILED: 'refused',
  FILTER_BREAKS_INSTALL: 'refused',
  IMAGES_DIFFER: 'refused',
  SIGNATURE_MISSING: 'refused',
  REGISTRY_BLOCKED: 'refused',
  DISK_FULL: 'incomplete',
  DISK_FAILED: 'incomplete',
  OUTPUT_BROKEN: 'incomplete',
  PULL_INCOMPLETE: 'incomplete',
  DELTA_INCOMPLETE: 'incomplete',
  BLOB_MISSING: 'incomplete',
  BLOB_TRUNCATED: 'incomplete',
  BLOB_DIGEST_MISMATCH: 'corrupt',
  BLOB_SIZE_MISMATCH: 'corrupt',
  MANIFEST_INVALID: 'corrupt',
  MANIFEST_DIGEST_MISMATCH: 'corrupt',
  LAYOUT_INVALID: 'corrupt',
  DELTA_INVALID: 'corrupt',
  TAR_INVALID: 'corrupt',
  CATALOG_INVALID: 'corrupt',
  ISO_READBACK_MISMATCH: 'corrupt',
  RECEIPT_MISMATCH: 'corrupt',
  PARTITION_TABLE_MISMATCH: 'corrupt',
  SIGNATURE_INVALID: 'corrupt',
  CHECKSUMS_INVALID: 'corrupt',
  DEVICE_UNKNOWN: 'device',
  DEVICE_REFUSED: 'device',
  REGISTRY_UNREACHABLE: 'registry',
  REGISTRY_UNAUTHORIZED: 'registry',
  REGISTRY_REFUSED: 'registry',
  MANIFEST_UNKNOWN: 'registry',
  BLOB_UNKNOWN: 'registry',
  PLATFORM_UNKNOWN: 'registry',
  DOWNLOAD_UNREACHABLE: 'registry',
  DOWNLOAD_REFUSED: 'registry',
  DOWNLOAD_UNKNOWN: 'registry',
  GRAPH_UNREACHABLE: 'registry',
  SIGNATURE_STORE_UNREACHABLE: 'registry',
  SITES_FAILED: 'sitesFailed',
  STICKS_FAILED: 'sitesFailed',
  REHEARSAL_FAILED: 'rehearsalFailed',
} as const satisfies Record<string, ExitKind>;

export type ErrorCode = keyof typeof ERROR_KINDS;

/** The exit status an error of this code ends in. */
export function exitStatusOf(code: ErrorCode): number {
  return EXIT_STATUS[ERROR_KINDS[code]];
}

/** Where an error is: only the parts that are known. Lines and columns count from 1. */
export interface Place {
  readonly file?: string;
  readonly line?: number;
  readonly col?: number;
  readonly field?: string;
  readonly image?: string;
  readonly url?: string;
}

/** One of several things wrong with an input; `message` is whole without the place. */
export interface Fault {
  readonly place: Place;
  readonly message: string;
}

export interface EdgefabErrorOptions {
  readonly code: ErrorCode;
  readonly suggestions?: readonly string[];
  readonly place?: Place;
  /** Every fault of an input that is checked as a whole, for `--json`. */
  readonly faults?: readonly Fault[];
  readonly cause?: unknown;
}

/**
 * The one error type of edgefab: what, which one, got and want in the message, a code for programs,
 * suggestions for people. `oclif.exit` and `exitCode` are what the command line ends with (the second
 * one under `--json`).
 */
export class EdgefabError extends Error {
  readonly code: ErrorCode;
  readonly suggestions: string[];
  readonly place: Place;
  readonly faults: readonly Fault[];
  readonly exitCode: number;
  readonly oclif: { exit: number };

  constructor(message: string, options: EdgefabErrorOptions) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.name = 'EdgefabError';
    this.code = options.code;
    this.suggestions = [...(options.suggestions ?? [])];
    this.place = options.place ?? {};
    this.faults = [...(options.faults ?? [])];
    this.exitCode = exitStatusOf(options.code);
    this.oclif = { exit: this.exitCode };
  }
}

/** Tells whether an unknown value carries the given error code (Node's `ENOENT` or one of ours). */
export function hasCode(error: unknown, code: string): boolean {
  return typeof error === 'object' && error !== null && 'code' in error && error.code === code;
}
