import type { Host } from '../../host/host.ts';
import { appendToReceipt } from '../receipt/append-to-receipt.ts';
import type { Receipt } from '../receipt/receipt.ts';
import type { Rehearsal } from './rehearsal.ts';

/** A rehearsal as receipts keep it. */
export type RehearsalEntry = NonNullable<Receipt['rehearsals']>[number];

/** Whoever tries for a day needs the last ones; the logs of the newest are beside the ISO. */
const KEPT = 10;

function entryOf(rehearsal: Rehearsal): RehearsalEntry {
  const { buildId, endedAt, writer, verdict, firmware, accelerator, memoryMiB, seconds } = rehearsal;
  const { network, clock, phases, checks, payloadBytes } = rehearsal;
  return {
    ...{ buildId, endedAt, writer, verdict, firmware, accelerator, memoryMiB, network, clock, seconds },
    phases: phases.map((each) => ({ ...each })),
    checks: checks.map(({ phase, name, state }) => ({ phase, name, state })),
    payloadBytes,
  };
}

/**
 * Adds a rehearsal to the receipt beside the ISO that was rehearsed. Returns its path, or undefined where it is the
 * receipt of another build by now. Throws what `appendToReceipt` throws.
 */
export async function keepRehearsal(
  iso: string,
  rehearsal: Rehearsal,
  host: Pick<Host, 'sleep'>,
): Promise<string | undefined> {
  return await appendToReceipt(
    iso,
    'rehearsals',
    (held, { buildId }) =>
      buildId === rehearsal.buildId ? [...held, entryOf(rehearsal)].slice(-KEPT) : undefined,
    host,
  );
}
