import type { SpillFile, SpillPlan } from '../../boot/patch/spill-plan.ts';
import { EdgefabError } from '../../errors.ts';

/** As many files as fit on a screen beside the table of what takes the space. */
const SHOWN = 10;

function shown(lines: readonly string[]): string[] {
  const more = lines.length > SHOWN ? [`  and ${lines.length - SHOWN} more`] : [];
  return [...lines.slice(0, SHOWN), ...more];
}

function list(files: readonly SpillFile[]): string {
  const names = files.slice(0, SHOWN).map(({ path, sizeBytes }) => `${path} (${sizeBytes} bytes)`);
  return [...names, ...(files.length > SHOWN ? [`${files.length - SHOWN} more`] : [])].join(', ');
}

function stays({ staying }: SpillPlan): string[] {
  if (staying.length === 0) return [];
  const lines = staying.map(({ path, sizeBytes, why }) => `  ${path}, ${sizeBytes} bytes: ${why}`);
  return ["Of the site's own files these cannot be moved to the cache disk:", ...shown(lines)];
}

/**
 * Adds to EMBED_AREA_FULL what moving files to the cache disk can do about it: what --spill would move, or that all
 * it could was moved and it is still too much; and why other files of the user's own have to stay.
 */
export function withSpillAdvice(
  error: EdgefabError,
  site: string,
  plan: SpillPlan,
  asked: boolean,
): EdgefabError {
  const { candidates } = plan;
  const remedy = ((): { line: string; suggestion: string } => {
    if (candidates.length === 0)
      return {
        line: `site ${site}: it has no files that could be moved to the cache disk`,
        suggestion:
          'Have every site use the same overlay for what is large, in /usr/local/bin or /opt, readable by all and without secrets; --spill moves that to the cache disk',
      };
    if (asked)
      return {
        line: `site ${site}: all that could be moved to the cache disk is moved already: ${list(candidates)}`,
        suggestion: 'Make what is left smaller, or install it after the bootstrap',
      };
    return {
      line: `site ${site}: these files could come from the cache disk instead: ${list(candidates)}`,
      suggestion: `Run the same command with --spill: it moves as many of them to the cache disk as it has to, the largest first`,
    };
  })();
  return new EdgefabError([error.message, remedy.line, ...stays(plan)].join('\n'), {
    code: error.code,
    place: error.place,
    faults: error.faults,
    suggestions: [remedy.suggestion, ...error.suggestions],
    cause: error.cause,
  });
}
