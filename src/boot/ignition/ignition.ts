import type { JsonNode } from './json-tree.ts';

/** Where a file's bytes come from: a data URL in what the installer writes. */
export interface IgnitionResource {
  readonly source?: string;
  readonly compression?: string;
}

/** A file of the config (Ignition 3.x, `storage.files`). `mode` is the number as written: 420 is 0644. */
export interface IgnitionFile {
  readonly path: string;
  readonly mode?: number;
  readonly overwrite?: boolean;
  readonly user?: string | number;
  readonly group?: string | number;
  readonly contents?: IgnitionResource;
  readonly append: readonly IgnitionResource[];
  readonly node: JsonNode;
}

/** A folder the config makes (`storage.directories`). */
export interface IgnitionDirectory {
  readonly path: string;
  readonly mode?: number;
  readonly overwrite?: boolean;
  readonly user?: string | number;
  readonly group?: string | number;
  readonly node: JsonNode;
}

/** A link the config makes (`storage.links`), symbolic unless `hard`. */
export interface IgnitionLink {
  readonly path: string;
  readonly target?: string;
  readonly hard?: boolean;
  readonly overwrite?: boolean;
  readonly user?: string | number;
  readonly group?: string | number;
  readonly node: JsonNode;
}

export interface IgnitionDropin {
  readonly name: string;
  readonly contents?: string;
  readonly node: JsonNode;
}

/** A systemd unit (`systemd.units`). An absent or empty `contents` leaves the system's own unit in place. */
export interface IgnitionUnit {
  readonly name: string;
  readonly enabled?: boolean;
  readonly mask?: boolean;
  readonly contents?: string;
  readonly dropins: readonly IgnitionDropin[];
  readonly node: JsonNode;
}

export interface IgnitionUser {
  readonly name: string;
  readonly passwordHash?: string;
  readonly sshAuthorizedKeys: readonly string[];
}

/**
 * An Ignition 3.x config: typed views over the exact text that was read. Every field edgefab does not know
 * stays in `text`; a change is a new value whose text differs only where the change is.
 */
export interface Ignition {
  readonly text: string;
  readonly root: JsonNode;
  /** The file it came from, for messages. */
  readonly where: string;
  readonly version: string;
  readonly files: readonly IgnitionFile[];
  readonly directories: readonly IgnitionDirectory[];
  readonly links: readonly IgnitionLink[];
  readonly units: readonly IgnitionUnit[];
  readonly users: readonly IgnitionUser[];
}
