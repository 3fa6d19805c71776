import { daysAndHours } from '../boot/certs/shelf-life.ts';
import { EdgefabError, type Fault } from '../errors.ts';
import type { CertificateSources } from './certificate-sources.ts';

/**
 * Makes sure that no certificate of what was looked at ends within some time from now. One that only lets others
 * be trusted does not count. Throws CERTIFICATE_HORIZON with each config that does not hold out.
 */
export function assertNoneExpires(sources: CertificateSources, withinMs: number, now: Date): void {
  const all =
    sources.kind === 'factory' ? sources.sites.flatMap((site) => site.inventory ?? []) : [sources.inventory];
  const faults = all.flatMap(({ where, horizon }): Fault[] => {
    if (horizon === undefined || horizon.notAfter.getTime() - now.getTime() >= withinMs) return [];
    const [first] = horizon.certificates;
    const { notAfter } = horizon;
    const verb = notAfter.getTime() <= now.getTime() ? 'ended' : 'ends';
    const message = `${first?.subject} ${verb} at ${notAfter.toISOString()}`;
    return [{ place: { file: where, field: first?.path ?? '' }, message }];
  });
  if (faults.length === 0) return;
  const lines = faults.map(({ place, message }) => `  ${place.file}: ${place.field}: ${message}`);
  throw new EdgefabError(
    `certificates end within ${daysAndHours(withinMs)} of ${now.toISOString()}:\n${lines.join('\n')}`,
    {
      code: 'CERTIFICATE_HORIZON',
      suggestions: [
        'Make them last: edgefab certs extend FILE --valid-for 30d -o OUT, and build the stick again',
      ],
      faults,
    },
  );
}
