import type { StepReport } from '../../boot/patch/step.ts';

/** The lines of one step of a patch: what it is for and what it changed, and what differs where that was asked for. */
export function renderStep({ name, why, skipped, changes, explained }: StepReport): string[] {
  const lines = [`${name}: ${why}`];
  if (explained !== undefined) lines.push(`  what: ${explained.what}`, `  applies to: ${explained.applies}`);
  if (skipped !== undefined) return [...lines, `  skipped: ${skipped}`];
  if (changes.length === 0) return [...lines, '  nothing to change'];
  for (const [index, change] of changes.entries()) {
    lines.push(`  ${change}`);
    for (const { kind, what, path, detail } of explained?.differences[index] ?? [])
      lines.push(`    ${kind} ${what} ${path}`, ...detail.map((line) => `      ${line}`));
  }
  return lines;
}
