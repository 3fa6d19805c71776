import { EdgefabError } from '../../errors.ts';

/** What did not arrive, which images lack it, and why. */
export interface PullFailure {
  readonly what: string;
  readonly images: readonly string[];
  readonly error: Error;
}

export interface PullResult {
  /** What came over the line, again or not. */
  readonly fetchedBytes: number;
  readonly heldBytes: number;
  readonly fetchedBlobs: number;
  /** Images with every manifest and blob there. */
  readonly completeImages: number;
  readonly retries: number;
  readonly failures: readonly PullFailure[];
}

const SHOWN_FAILURES = 20;

/**
 * Turns failures into the error a run ends with: wrong bytes (status 6) outrank a disk that failed (5), which
 * outranks a registry that refused everything (8), which outranks what another run may still fetch (5). Every
 * image with its first reason is a fault of the error.
 */
export function pullError(result: PullResult, images: number): EdgefabError {
  const { failures } = result;
  const exitOf = ({ error }: PullFailure): number => (error instanceof EdgefabError ? error.exitCode : 0);
  const codeOf = ({ error }: PullFailure): string => (error instanceof EdgefabError ? error.code : '');
  const corrupt = failures.find((failure) => exitOf(failure) === 6);
  const disk = failures.find((failure) => ['DISK_FULL', 'DISK_FAILED'].includes(codeOf(failure)));
  const refused = failures.every((failure) => exitOf(failure) === 8) && result.fetchedBlobs === 0;
  const cause = (corrupt ?? disk ?? (refused ? failures[0] : undefined))?.error;
  const reasons = new Map<string, string>();
  for (const { what, images: users, error } of failures)
    for (const image of users) if (!reasons.has(image)) reasons.set(image, `${what}: ${error.message}`);
  const lines = failures.slice(0, SHOWN_FAILURES).map(({ what, error, images: users }) => {
    const others = users.length > 1 ? ` and ${users.length - 1} more` : '';
    return `  ${what} of ${users[0] ?? '?'}${others}: ${error.message}`;
  });
  if (failures.length > lines.length) lines.push(`  … and ${failures.length - lines.length} more`);
  return new EdgefabError(
    `${images - result.completeImages} of ${images} images are incomplete:\n${lines.join('\n')}`,
    {
      code: cause instanceof EdgefabError ? cause.code : 'PULL_INCOMPLETE',
      suggestions: [
        ...(cause instanceof EdgefabError ? cause.suggestions : []),
        'Run the same command again: what is complete is kept and not fetched again',
      ],
      faults: [...reasons].map(([image, message]) => ({ place: { image }, message })),
      ...(cause === undefined ? {} : { cause }),
    },
  );
}
