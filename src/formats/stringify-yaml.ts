import { stringify } from 'yaml';

/**
 * Writes a value as YAML 1.2 with the same bytes for the same value: keys in the order of the value, no
 * folded lines, no anchors, two spaces of indent, one line feed at the end.
 */
export function stringifyYaml(value: unknown): string {
  return stringify(value, {
    version: '1.2',
    schema: 'core',
    lineWidth: 0,
    indent: 2,
    aliasDuplicateObjects: false,
  });
}
