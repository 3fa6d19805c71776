import { showText } from '../../formats/shown-text.ts';
import { type Entry, entriesAt, type Remark, textAt } from './finding.ts';
import { type JsonNode, memberOf } from './json-tree.ts';
import { isWellKnownUnit } from './well-known-units.ts';

const NAMING = /^(?:Wants|Requires|Requisite|BindsTo|PartOf|Upholds|Before|After|OnFailure)$/;
/** Devices, mounts, slices and the like come and go at run time, or are made by generators. */
const CHECKED = /\.(?:service|socket|target|timer|path)$/;
const UNIT_FOLDER = /^\/(?:etc|usr\/lib|run)\/systemd\/system\/([^/]+)$/;

interface UnitText {
  readonly field: string;
  readonly node: JsonNode;
  readonly text: string;
}

function texts({ field, node }: Entry): UnitText[] {
  const own: Entry[] = [{ field, node }, ...entriesAt(node, ['dropins'], field)];
  return own.flatMap((entry) => {
    const contents = memberOf(entry.node, 'contents');
    const text = textAt(contents);
    return contents === undefined || text === undefined || text === ''
      ? []
      : [{ field: `${entry.field}.contents`, node: contents, text }];
  });
}

/** The settings of a unit, lines that go on joined (systemd.syntax(7)). */
function settings(text: string): { key: string; value: string }[] {
  return text
    .replace(/\\\r?\n/g, ' ')
    .split(/\r?\n/)
    .flatMap((line) => {
      const at = line.indexOf('=');
      if (at < 0 || /^\s*[#;]/.test(line)) return [];
      return [{ key: line.slice(0, at).trim(), value: line.slice(at + 1) }];
    });
}

function knownUnits(root: JsonNode, units: readonly Entry[]): Set<string> {
  const known = new Set(units.flatMap(({ node }) => textAt(memberOf(node, 'name')) ?? []));
  for (const kind of ['files', 'links'])
    for (const { node } of entriesAt(root, ['storage', kind])) {
      const name = UNIT_FOLDER.exec(textAt(memberOf(node, 'path')) ?? '')?.[1];
      if (name !== undefined) known.add(name);
    }
  for (const unit of units)
    for (const { text } of texts(unit))
      for (const { key, value } of settings(text))
        if (key === 'Alias') for (const name of value.trim().split(/\s+/)) known.add(name);
  return known;
}

function isKnown(name: string, known: ReadonlySet<string>): boolean {
  return known.has(name) || known.has(name.replace(/@[^.]*\./, '@.')) || isWellKnownUnit(name);
}

function unknownNames({ field, node, text }: UnitText, known: ReadonlySet<string>): Remark[] {
  const seen = new Set<string>();
  return settings(text).flatMap(({ key, value }) => {
    if (!NAMING.test(key)) return [];
    return value
      .trim()
      .split(/\s+/)
      .flatMap((name): Remark[] => {
        if (seen.has(name) || !CHECKED.test(name) || name.includes('%') || isKnown(name, known)) return [];
        seen.add(name);
        const message = `${key}=${showText(name, 100)}: no such unit in the config, and none edgefab knows of in the system`;
        return [{ level: 'warning', field, node, message }];
      });
  });
}

function neverEnabled(unit: Entry): Remark[] {
  const enabled = memberOf(unit.node, 'enabled');
  const contents = memberOf(unit.node, 'contents');
  if (enabled?.kind !== 'boolean' || !enabled.value || contents === undefined) return [];
  // Without contents it is a unit of the system, whose text is not here.
  if ((textAt(contents) ?? '') === '') return [];
  if (texts(unit).some(({ text }) => /^\s*\[Install\]/m.test(text))) return [];
  const name = showText(textAt(memberOf(unit.node, 'name')) ?? '', 100);
  return [
    {
      level: 'warning',
      field: `${unit.field}.contents`,
      node: contents,
      message: `${name} is enabled, but has no [Install] section: it is never started by being enabled`,
    },
  ];
}

/** Finds units that name units nobody has, and units that are enabled but cannot be. */
export function checkUnits(root: JsonNode): Remark[] {
  const units = entriesAt(root, ['systemd', 'units']);
  const known = knownUnits(root, units);
  return units.flatMap((unit) => [
    ...neverEnabled(unit),
    ...texts(unit).flatMap((text) => unknownNames(text, known)),
  ]);
}
