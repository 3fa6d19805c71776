import { EdgefabError } from '../../errors.ts';
import type { Ignition } from '../ignition/ignition.ts';
import type { CertificateHorizon } from './certificate-horizon.ts';
import { inventory } from './inventory.ts';

const DAY_MS = 86_400_000;
/** How long a stick should be good for on the shelf, unless the site says otherwise: 7 days. */
const USUAL_SHELF_LIFE_MS = 7 * DAY_MS;

export interface ShelfLifeOptions {
  /** The time of the build: the shelf begins here. */
  readonly now: Date;
  /** Undefined for 7 days. */
  readonly shelfLifeMs?: number | undefined;
}

/** Whether what is built now will still install at the end of its shelf life. */
export type ShelfLife =
  | {
      readonly state: 'enough' | 'short' | 'ended';
      readonly horizon: CertificateHorizon;
      readonly leftMs: number;
    }
  | { readonly state: 'none' };

/** Tells how the certificates of a config stand against a shelf life. `none`: it has none that could end. */
export function shelfLifeOf(ignition: Ignition, { now, shelfLifeMs }: ShelfLifeOptions): ShelfLife {
  const { horizon } = inventory(ignition);
  if (horizon === undefined) return { state: 'none' };
  const leftMs = horizon.notAfter.getTime() - now.getTime();
  if (leftMs <= 0) return { state: 'ended', horizon, leftMs };
  return {
    state: outlivesShelf(horizon.notAfter, { now, shelfLifeMs }) ? 'enough' : 'short',
    horizon,
    leftMs,
  };
}

/** Tells whether what ends then is still good at the end of its shelf life. */
export function outlivesShelf(notAfter: Date, { now, shelfLifeMs }: ShelfLifeOptions): boolean {
  return notAfter.getTime() - now.getTime() >= (shelfLifeMs ?? USUAL_SHELF_LIFE_MS);
}

/** Writes a span of time in days and hours, rounded down: `6 d 23 h`. */
export function daysAndHours(ms: number): string {
  const hours = Math.floor(Math.abs(ms) / 3_600_000);
  const sign = ms < 0 ? '-' : '';
  if (hours < 24) return `${sign}${hours} h`;
  return hours % 24 === 0 ? `${sign}${hours / 24} d` : `${sign}${Math.floor(hours / 24)} d ${hours % 24} h`;
}

/**
 * Makes sure that every certificate of a config outlives its shelf life. Throws CERTIFICATE_HORIZON naming the
 * first that does not and what to do. Gives the horizon, undefined when there is no certificate.
 */
export function assertShelfLife(
  ignition: Ignition,
  options: ShelfLifeOptions,
): CertificateHorizon | undefined {
  const life = shelfLifeOf(ignition, options);
  if (life.state === 'none') return undefined;
  if (life.state === 'enough') return life.horizon;
  const { notAfter, certificates } = life.horizon;
  const want = daysAndHours(options.shelfLifeMs ?? USUAL_SHELF_LIFE_MS);
  const first = certificates[0];
  const ends =
    life.state === 'ended'
      ? `ended at ${notAfter.toISOString()}, ${daysAndHours(life.leftMs).slice(1)} ago`
      : `ends at ${notAfter.toISOString()}, in ${daysAndHours(life.leftMs)}`;
  throw new EdgefabError(
    `${ignition.where}: the certificate ${first?.subject} in ${first?.path} ${ends}; want a shelf life of ${want}. After that the install stops with "x509: certificate has expired"`,
    {
      code: 'CERTIFICATE_HORIZON',
      suggestions: [
        'Set certificates.validFor for the site, or run: edgefab certs extend FILE --valid-for 30d -o OUT',
        'Set certificates.shelfLife to the time between building and booting, when that is shorter',
      ],
      place: { file: ignition.where, ...(first === undefined ? {} : { field: first.path }) },
    },
  );
}
