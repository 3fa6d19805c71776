/** A file of a config that is the user's own. */
export interface OwnFile {
  readonly path: string;
  /** Where `from` is named: in a site's `overlays` or its `manifests`. */
  readonly kind: 'overlays' | 'manifests';
  /** All that have a part in it: paths of overlays, names of manifest files. */
  readonly from: readonly string[];
  /** There was a file at this path before: the installer's, or edgefab's. */
  readonly replaces: boolean;
}

/** A unit that only the user's own overlays have. */
interface OwnUnit {
  readonly name: string;
  readonly from: readonly string[];
}

/** What of a patched config comes from the user's own files. */
export interface OwnContent {
  readonly files: readonly OwnFile[];
  readonly units: readonly OwnUnit[];
}

/** Joins what several files bring: of a path or unit that more than one has, all are named. */
export function joinOwnContent(parts: readonly OwnContent[]): OwnContent {
  const files = new Map<string, OwnFile>();
  const units = new Map<string, OwnUnit>();
  for (const part of parts) {
    for (const file of part.files) {
      const known = files.get(file.path);
      const replaces = file.replaces || known?.replaces === true;
      files.set(file.path, { ...file, replaces, from: [...(known?.from ?? []), ...file.from] });
    }
    for (const unit of part.units)
      units.set(unit.name, { ...unit, from: [...(units.get(unit.name)?.from ?? []), ...unit.from] });
  }
  return { files: [...files.values()], units: [...units.values()] };
}
