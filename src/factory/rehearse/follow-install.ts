import type { Host } from '../../host/host.ts';
import { endOf, type Patience } from './come-to-rest.ts';
import type { Found } from './guest-checks.ts';
import { askStatuses, askUnits, type GuestUnit } from './guest-units.ts';
import type { RehearsalLog } from './rehearsal-log.ts';
import type { RunningMachine } from './running-machine.ts';
import { INSTALLED_KARGS } from './stick-view.ts';

/** The installer's own units, in the order they work: the last one writes the disk and restarts the machine. */
const INSTALLER_UNITS = ['release-image.service', 'bootkube.service', 'install-to-disk.service'];
const LOOK_MS = 1000;
const ASK_EVERY = 10;
/** A unit that is started again in a moment may be seen as failed once. */
const FAILED_TIMES = 3;
const JOURNAL_LINES = 8;
const JOURNAL_CHARS = 800;

/**
 * Gives the installed system the console and the shell that the live one has: a system on a disk reads its kernel
 * arguments from its boot loader entries (Boot Loader Specification, type 1), and it is on that disk for the minute
 * between the end of coreos-installer and the restart. Waits for that in the background; a shutdown that is planned is
 * seen by systemd's file.
 */
export const GIVE_CONSOLE = [
  'until [ -e /run/systemd/shutdown/scheduled ] || [ -e /opt/openshift/.install-to-disk.done ]; do sleep 1; done',
  'at=/run/edgefab-rehearsal.boot',
  'mkdir -p $at',
  'mount /dev/disk/by-label/boot $at || exit 0',
  `for entry in $at/loader/entries/*.conf; do if [ -e $entry ]; then sed -i "s/^options .*/& ${INSTALLED_KARGS.join(' ')}/" $entry; fi; done`,
  'umount $at',
].join('; ');

/**
 * Follows the installer in the live system until the machine restarts from what it wrote; gives what was found: good
 * when it does.
 */
export async function followInstall(
  running: RunningMachine,
  { timeoutMs, signal }: Patience,
  log: RehearsalLog,
  host: Pick<Host, 'sleep'>,
): Promise<Found> {
  const { machine, shell } = running;
  const found = (state: Found['state'], detail: string): Found => ({ name: 'install', state, detail });
  if (machine.result() === undefined) await shell.run(`setsid bash -c '${GIVE_CONSOLE}' >/dev/null 2>&1 &`);
  const failures = new Map<string, number>();
  let units: readonly GuestUnit[] = [];
  for (let turn = 0; ; turn += 1) {
    signal.throwIfAborted();
    await running.look();
    if (machine.result() !== undefined) {
      return machine.end() === 'restart'
        ? found('good', 'the installer ended, and the machine restarted')
        : found('failed', endOf(running));
    }
    if (await machine.isStuck()) return found('failed', 'QEMU gave up on the machine');
    const fault = running.console.fault();
    if (fault !== undefined) return found('failed', `the console says: ${fault}`);
    if (turn % ASK_EVERY === 0) {
      const asked = (await askUnits(shell, INSTALLER_UNITS))?.filter(({ isThere }) => isThere) ?? [];
      for (const { name, state } of asked)
        if (state !== 'waiting' && units.find((unit) => unit.name === name)?.state !== state)
          log.note(state === 'good' ? `${name} is done` : `${name}: ${state}`);
      if (asked.length > 0) units = asked;
      for (const { name, state } of asked)
        failures.set(name, state === 'failed' ? (failures.get(name) ?? 0) + 1 : 0);
      const broken = asked.find(({ name }) => (failures.get(name) ?? 0) >= FAILED_TIMES);
      if (broken !== undefined)
        return found('failed', `${broken.name}: ${broken.detail}${await whyItFailed(running, broken)}`);
    }
    if (log.seconds() * 1000 > timeoutMs) {
      const waiting = units
        .filter(({ state }) => state !== 'good')
        .map(({ name, detail }) => `${name} ${detail}`);
      return found(
        'failed',
        `not done in time: ${waiting.join(', ') || 'the restart'}${await whatItSays(running)}`,
      );
    }
    await host.sleep(LOOK_MS, signal);
  }
}

/** The last lines of its journal say it, if anything does; they may be of any program. */
async function whyItFailed({ shell }: RunningMachine, { name }: GuestUnit): Promise<string> {
  const command = `journalctl --boot --unit=${name} --lines=${JOURNAL_LINES} --output=cat --no-pager`;
  const lines = (await shell.run(command))?.output.trim() ?? '';
  return lines === ''
    ? ''
    : `; its journal ends: ${lines
        .replaceAll(/\s*\n\s*/g, ' | ')
        .replaceAll(/[^\x20-\x7e]/g, '?')
        .slice(-JOURNAL_CHARS)}`;
}

async function whatItSays({ shell }: RunningMachine): Promise<string> {
  const said = (await askStatuses(shell)) ?? [];
  return said.length === 0 ? '' : `; ${said.join('; ')}`;
}
