import { gzipSync } from 'node:zlib';
import type { Butane } from 'butane-wasm';
import { EdgefabError, hasCode } from '../../errors.ts';
import { engineMissing, isUnavailable } from './butane-engine.ts';
import { checkContents, EMBED_AREA_BYTES } from './check-contents.ts';
import { checkModes } from './check-modes.ts';
import { checkPaths } from './check-paths.ts';
import { checkUnits } from './check-units.ts';
import { type Finding, lineFinder, type Remark } from './finding.ts';
import { parseJsonTree } from './json-tree.ts';
import { parseIgnitionText } from './parse-ignition.ts';

/** What is wrong with a config. `missing` is set when Ignition's own validator could not be asked, and why. */
export interface Validation {
  readonly findings: readonly Finding[];
  readonly missing?: EdgefabError;
}

/** More than anyone reads at once; the rest show after these are mended. */
const MAX_FINDINGS = 500;
/** xz packs a config a tenth smaller than gzip; beyond this neither fits. */
const HOPELESS = 1.25;

/**
 * Validates the text of a config: by Ignition's own validator, and by edgefab's checks for what Ignition
 * accepts and the machine then suffers from. Errors first, each in the order of the text. Throws
 * IGNITION_INVALID only for what is no JSON at all.
 */
export async function validateIgnition(
  text: string,
  where: string,
  { validate }: Pick<Butane, 'validate'>,
): Promise<Validation> {
  const root = parseJsonTree(text, where);
  const placeAt = lineFinder(text);
  const own = [checkPaths, checkModes, checkContents, checkUnits]
    .flatMap((check) => check(root))
    .map(
      ({ level, field, node, message }: Remark): Finding => ({
        level,
        by: 'edgefab',
        message,
        place: { file: where, ...placeAt(node.start), field },
      }),
    );
  own.push(...sizeFindings(text, where), ...shapeFindings(text, where, own));
  const asked = await askIgnition(text, where, validate);
  const findings = [...own, ...untold(own, asked.findings)].sort(compare);
  return { ...asked, findings: cut(findings, where) };
}

function sizeFindings(text: string, where: string): Finding[] {
  const packed = gzipSync(text, { level: 9 }).length;
  if (packed <= EMBED_AREA_BYTES) return [];
  return [
    {
      level: packed > EMBED_AREA_BYTES * HOPELESS ? 'error' : 'warning',
      by: 'edgefab',
      message: `the config has ${packed} bytes compressed, and a live ISO has ${EMBED_AREA_BYTES} for it: move large files to the cache disk`,
      place: { file: where },
    },
  ];
}

/** What edgefab's own reader refuses, unless a check has told it of that field. */
function shapeFindings(text: string, where: string, told: readonly Finding[]): Finding[] {
  try {
    parseIgnitionText(text, where);
    return [];
  } catch (error) {
    if (!(error instanceof EdgefabError)) throw error;
    const { field = '' } = error.place;
    const known = told.some(({ level, place }) => level === 'error' && field.startsWith(place.field ?? '\0'));
    const message = error.message.replace(`${where}: `, '').replace(`${field}: `, '');
    return known ? [] : [{ level: 'error', by: 'edgefab', message, place: error.place }];
  }
}

async function askIgnition(text: string, where: string, validate: Butane['validate']): Promise<Validation> {
  try {
    const { report } = await validate(text);
    return {
      findings: report.entries.map(
        ({ kind, message, line, column, path }): Finding => ({
          level: kind === 'error' ? 'error' : 'warning',
          by: 'ignition',
          message,
          place: {
            file: where,
            ...(line === undefined ? {} : { line }),
            ...(column === undefined ? {} : { col: column }),
            ...(path === undefined ? {} : { field: fieldOf(path) }),
          },
        }),
      ),
    };
  } catch (error) {
    if (isUnavailable(error))
      return { findings: [], missing: engineMissing("Ignition's own validator", error) };
    // A text UTF-8 cannot hold, one that takes for ever, or that ended the engine.
    const known = ['INPUT_INVALID', 'IGNITION_TIMEOUT', 'IGNITION_FAILED'].some((code) =>
      hasCode(error, code),
    );
    if (!known) throw error;
    const message = `Ignition's validator: ${error instanceof Error ? error.message : String(error)}`;
    return { findings: [{ level: 'error', by: 'ignition', message, place: { file: where } }] };
  }
}

/** `$.storage.files.0.mode` in edgefab's way of writing: `storage.files[0].mode`. */
function fieldOf(path: string): string {
  return path.replace(/^\$\.?/, '').replace(/\.(\d+)(?=\.|$)/g, '[$1]');
}

/** Ignition's findings, but those about a field of which edgefab has said something as grave. */
function untold(own: readonly Finding[], asked: readonly Finding[]): Finding[] {
  const told = new Map<string | undefined, Finding['level']>();
  for (const { place, level } of own) if (told.get(place.field) !== 'error') told.set(place.field, level);
  return asked.filter(({ place, level }) => {
    const said = place.field === undefined ? undefined : told.get(place.field);
    return said === undefined || (said === 'warning' && level === 'error');
  });
}

function compare(a: Finding, b: Finding): number {
  if (a.level !== b.level) return a.level === 'error' ? -1 : 1;
  return (a.place.line ?? 0) - (b.place.line ?? 0) || (a.place.col ?? 0) - (b.place.col ?? 0);
}

function cut(findings: readonly Finding[], where: string): Finding[] {
  const shown = findings.slice(0, MAX_FINDINGS);
  const left = findings.slice(MAX_FINDINGS);
  if (left.length === 0) return shown;
  const level = left.some((each) => each.level === 'error') ? 'error' : 'warning';
  return [...shown, { level, by: 'edgefab', message: `… and ${left.length} more`, place: { file: where } }];
}
