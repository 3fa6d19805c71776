import { createHash } from 'node:crypto';
import { EdgefabError } from '../../errors.ts';
import { nearMatch } from '../../formats/near-match.ts';
import { showText } from '../../formats/shown-text.ts';
import { fileBytes } from './file-contents.ts';
import type { Ignition, IgnitionDirectory, IgnitionFile } from './ignition.ts';
import { isSecretFile } from './secret.ts';

/** A file as it may be shown. `mode` is octal (`0644`); `sha256` only where the content is no secret. */
export interface ShownFile {
  readonly path: string;
  readonly mode: string | null;
  readonly sizeBytes: number | null;
  readonly owner: string;
  readonly secret: boolean;
  readonly appended: boolean;
  readonly sha256?: string;
}

export interface ShownDirectory {
  readonly path: string;
  readonly mode: string | null;
  readonly owner: string;
}

/** A link: `hard` is false for a symbolic one. */
export interface ShownLink {
  readonly path: string;
  readonly target: string | null;
  readonly hard: boolean;
}

export interface ShownUnit {
  readonly name: string;
  readonly enabled: boolean | null;
  readonly hasContents: boolean;
  readonly dropins: readonly string[];
}

/** A user: of keys only the type and the comment, of a password only whether there is one. */
export interface ShownUser {
  readonly name: string;
  readonly sshKeys: readonly string[];
  readonly hasPassword: boolean;
}

/** A config as plain data without its secrets. */
export interface ShownIgnition {
  readonly version: string;
  readonly sizeBytes: number;
  readonly files: readonly ShownFile[];
  readonly directories: readonly ShownDirectory[];
  readonly links: readonly ShownLink[];
  readonly units: readonly ShownUnit[];
  readonly users: readonly ShownUser[];
}

/** Formats a mode as people write it: 420 is `0644`. */
export function formatMode(mode: number | undefined): string | null {
  return mode === undefined ? null : mode.toString(8).padStart(4, '0');
}

/** Names who owns a file or folder: `root` unless the config says otherwise. */
export function ownerOf(file: Pick<IgnitionDirectory, 'user' | 'group'>): string {
  const user = String(file.user ?? 'root');
  return file.group === undefined ? user : `${user}:${file.group}`;
}

function shownFile(ignition: Ignition, file: IgnitionFile): ShownFile {
  const bytes = fileBytes(ignition, file);
  const secret = isSecretFile(file.path, bytes ?? new Uint8Array());
  return {
    path: file.path,
    mode: formatMode(file.mode),
    sizeBytes: bytes?.length ?? null,
    owner: ownerOf(file),
    secret,
    appended: file.append.length > 0,
    ...(secret || bytes === undefined ? {} : { sha256: createHash('sha256').update(bytes).digest('hex') }),
  };
}

/** The type and the comment of an ssh public key, without the key. */
function sshKeyLabel(key: string): string {
  const [type = '', , ...comment] = key.trim().split(/\s+/);
  return [/^[a-z0-9@.-]{1,64}$/.test(type) ? type : 'key', ...comment].join(' ');
}

/** Turns a config into a plain tree for people and `--json`; no secret and no key material is in it. */
export function showIgnition(ignition: Ignition): ShownIgnition {
  return {
    version: ignition.version,
    sizeBytes: Buffer.byteLength(ignition.text),
    files: ignition.files.map((file) => shownFile(ignition, file)),
    directories: ignition.directories.map((directory) => ({
      path: directory.path,
      mode: formatMode(directory.mode),
      owner: ownerOf(directory),
    })),
    links: ignition.links.map(({ path, target, hard }) => ({
      path,
      target: target ?? null,
      hard: hard ?? false,
    })),
    units: ignition.units.map((unit) => ({
      name: unit.name,
      enabled: unit.enabled ?? null,
      hasContents: (unit.contents ?? '') !== '',
      dropins: unit.dropins.map((dropin) => dropin.name),
    })),
    users: ignition.users.map((user) => ({
      name: user.name,
      sshKeys: user.sshAuthorizedKeys.map(sshKeyLabel),
      hasPassword: user.passwordHash !== undefined,
    })),
  };
}

/** One file as it may be shown; `text` only where it is text and no secret. */
export type ShownContent = ShownFile & { readonly text?: string };

/** Shows one file of a config by its path, a secret without its content. Throws USAGE_INVALID for an unknown path. */
export function showFile(ignition: Ignition, path: string): ShownContent {
  const file = ignition.files.find((each) => each.path === path);
  if (file === undefined) {
    const near = nearMatch(
      path,
      ignition.files.map((each) => each.path),
    );
    throw new EdgefabError(
      `${ignition.where} has no file ${showText(path, 200)}: want the path of one of its files`,
      {
        code: 'USAGE_INVALID',
        suggestions: near === undefined ? [] : [`Did you mean ${near}?`],
        place: { file: ignition.where, field: path },
      },
    );
  }
  const shown = shownFile(ignition, file);
  const bytes = fileBytes(ignition, file);
  if (shown.secret || bytes === undefined) return shown;
  try {
    const text = new TextDecoder('utf-8', { fatal: true }).decode(bytes);
    return text.includes('\0') ? shown : { ...shown, text };
  } catch {
    return shown;
  }
}
