import { entriesAt, type Remark } from './finding.ts';
import { type JsonNode, memberOf } from './json-tree.ts';
import { formatMode } from './show-ignition.ts';

/** The modes people mean. None of these numbers, read as decimal, is a mode anyone means (0755 is 493). */
const COMMON = new Set(
  [
    ...[0o400, 0o440, 0o444, 0o500, 0o550, 0o555, 0o600, 0o640, 0o644, 0o660, 0o664, 0o666],
    ...[0o700, 0o710, 0o711, 0o744, 0o750, 0o755, 0o770, 0o775, 0o777, 0o1777, 0o2755, 0o2775],
  ].map((mode) => mode.toString(8)),
);

/** Finds modes written in octal digits although JSON numbers are decimal: 755 there is 01363, not 0755. */
export function checkModes(root: JsonNode): Remark[] {
  return ['files', 'directories'].flatMap((kind) =>
    entriesAt(root, ['storage', kind]).flatMap(({ field, node }): Remark[] => {
      const mode = memberOf(node, 'mode');
      if (mode?.kind !== 'number' || !COMMON.has(String(mode.value))) return [];
      const meant = Number.parseInt(String(mode.value), 8);
      return [
        {
          level: 'error',
          field: `${field}.mode`,
          node: mode,
          message: `mode ${mode.value} is decimal, which is ${formatMode(mode.value)} in octal: for ${formatMode(meant)} write ${meant}`,
        },
      ];
    }),
  );
}
