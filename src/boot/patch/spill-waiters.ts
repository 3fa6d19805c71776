import { fileBytes } from '../ignition/file-contents.ts';
import type { Ignition, IgnitionUnit } from '../ignition/ignition.ts';
import type { OwnContent } from './own-content.ts';

/** What the fetch of files comes after: a unit that must come before one of these cannot wait for files. */
const BEFORE_FETCH =
  /^(?:(?:sysinit|basic|local-fs|local-fs-pre|sockets|paths|timers)\.target|edgefab-(?:cache|clock|files)\.service)$/;

/** Files whose text the system reads, or runs, before any unit could wait. */
const EARLY_READERS =
  /^\/etc\/(?:udev|NetworkManager|systemd|tmpfiles\.d|modprobe\.d|sysctl\.d|dracut|containers|profile\.d|ssh|pam\.d|sudoers)/;
const MAX_READER_BYTES = 1024 * 1024;

function textOf({ contents = '', dropins }: IgnitionUnit): string {
  return [contents, ...dropins.map((dropin) => dropin.contents ?? '')].join('\n');
}

/** Tells whether a unit comes before, or beside, what the fetch waits for itself. */
function isEarly(text: string): boolean {
  const settings = text.replace(/\\\r?\n/g, ' ').matchAll(/^[ \t]*(\w+)[ \t]*=[ \t]*(.*?)[ \t\r]*$/gm);
  for (const [, key = '', value = ''] of settings) {
    if (key === 'DefaultDependencies' && /^(?:no|n|false|f|off|0)$/i.test(value)) return true;
    if (!/^(?:Before|WantedBy|RequiredBy)$/.test(key)) continue;
    if (value.split(/\s+/).some((name) => BEFORE_FETCH.test(name))) return true;
  }
  return false;
}

/** Whether a path is named in a text, and not only as the beginning of a longer one. */
function names(text: string, path: string): boolean {
  for (let at = text.indexOf(path); at >= 0; at = text.indexOf(path, at + 1))
    if (!/[A-Za-z0-9._+@:,=~/-]/.test(text[at + path.length] ?? '')) return true;
  return false;
}

/** Who could want files of a config before they are fetched, and who can be made to wait. */
export interface Waiters {
  /** Says who may want a file of these overlays too early; undefined when all that could can wait. */
  tooEarly(path: string, from: readonly string[]): string | undefined;
  /** Units that have to wait for these files, sorted: bootkube, the user's own, and those that name one. */
  unitsFor(paths: readonly string[]): string[];
}

/** Looks through a config for what runs programs: its units, and the hooks of the system. */
export function waitersOf(ignition: Ignition, own: OwnContent): Waiters {
  const ownUnits = new Map(own.units.map((unit) => [unit.name, unit]));
  const units = ignition.units.map((unit) => {
    const text = textOf(unit);
    const { name, contents = '' } = unit;
    // A unit without contents is the system's, and a drop-in that stops sshd does nobody good.
    const canWait =
      name.endsWith('.service') && contents !== '' && !name.startsWith('edgefab-') && !isEarly(text);
    return { name, text, canWait, isSystems: contents === '' };
  });
  // Timers, paths and the like start a service, and that one waits. A drop-in for a unit of the system counts only
  // where it names a file.
  const earlyServices = units.filter(
    ({ name, canWait, isSystems }) =>
      !canWait && !isSystems && ownUnits.has(name) && name.endsWith('.service'),
  );
  const readers = ignition.files.flatMap((file) => {
    if (!EARLY_READERS.test(file.path)) return [];
    const bytes = fileBytes(ignition, file);
    if (bytes === undefined || bytes.length > MAX_READER_BYTES) return [];
    return [{ path: file.path, text: Buffer.from(bytes).toString('utf8') }];
  });
  return {
    tooEarly: (path, from) => {
      const namesIt = units.find(({ text, canWait }) => !canWait && names(text, path));
      if (namesIt !== undefined) return `${namesIt.name} names it and cannot wait for the cache disk`;
      const sibling = earlyServices.find(({ name }) =>
        ownUnits.get(name)?.from.some((file) => from.includes(file)),
      );
      if (sibling !== undefined)
        return `${sibling.name} of the same overlay may run it and starts before the cache disk can be read`;
      const reader = readers.find(({ text }) => names(text, path));
      if (reader !== undefined) return `${reader.path} names it and may be read before the cache disk`;
      const link = ignition.links.find(
        ({ path: at, target, hard }) => target === path && (hard === true || EARLY_READERS.test(at)),
      );
      return link === undefined ? undefined : `the link ${link.path} to it is made before the cache disk`;
    },
    unitsFor: (paths) => {
      const waiting = units.filter(
        ({ name, text, canWait }) =>
          name === 'bootkube.service' ||
          (canWait && (ownUnits.has(name) || paths.some((path) => names(text, path)))),
      );
      return [...new Set(['bootkube.service', ...waiting.map(({ name }) => name)])].sort();
    },
  };
}
