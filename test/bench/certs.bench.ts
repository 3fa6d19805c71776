import { parseArgs } from 'node:util';
import { extendCertificates } from '../../src/boot/certs/extend-certificates.ts';
import { loadIgnition } from '../../src/boot/ignition/load-ignition.ts';
import { bipIgnition } from '../support/bip-ignition.ts';
import { DAY_MS, installerFiles, KEY_KINDS } from '../support/made-pki.ts';
import { machineLine } from './figures.ts';

export const summary = 'certificates of many sites extended in one process, all proved';

/** Measures how long it takes to extend the certificates of some sites, one after the other. */
export async function run(args: readonly string[]): Promise<void> {
  const { values } = parseArgs({
    args: [...args],
    options: {
      sites: { type: 'string', default: '100' },
      runs: { type: 'string', default: '3' },
      ignition: { type: 'string', multiple: true, default: [] },
    },
  });
  const madeAt = new Date(Date.now() - 20 * DAY_MS);
  const configs = [
    ...KEY_KINDS.map((signers) => ({
      name: `made up, ${signers}`,
      config: bipIgnition({ extraFiles: installerFiles({ signers, madeAt }) }),
    })),
    ...(await Promise.all(
      values.ignition.map(async (path) => ({ name: path, config: await loadIgnition(path) })),
    )),
  ];
  process.stdout.write(machineLine());
  for (const { name, config } of configs) {
    const seconds: number[] = [];
    const cpuBefore = process.cpuUsage();
    let changes = 0;
    for (let round = 0; round < Number(values.runs); round++) {
      const started = performance.now();
      for (let site = 0; site < Number(values.sites); site++)
        changes = extendCertificates(config, { validForMs: 30 * DAY_MS, now: new Date() }).changes.length;
      seconds.push((performance.now() - started) / 1000);
    }
    const figures = seconds.map((each) => `${each.toFixed(2)} s`).join(', ');
    const { user, system } = process.cpuUsage(cpuBefore);
    const cpu = (user + system) / 1e6 / Number(values.runs);
    process.stdout.write(
      `${name}: ${values.sites} sites, ${changes} certificates each: ${figures}; CPU ${cpu.toFixed(2)} s a run\n`,
    );
  }
}
