import { mkdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { loadFactory } from '../../../src/factory/load.ts';
import { embeddedIgnition } from '../../../src/factory/rehearse/embedded-ignition.ts';
import { type GuestShell, openGuestShell } from '../../../src/factory/rehearse/guest-shell.ts';
import { prepareMachine } from '../../../src/factory/rehearse/prepare-machine.ts';
import { type MachinePlan, machineFiles } from '../../../src/factory/rehearse/qemu-command.ts';
import { startMachine } from '../../../src/factory/rehearse/virtual-machine.ts';
import { selectSites } from '../../../src/factory/select-sites.ts';
import { realHost } from '../../../src/host/real-host.ts';
import type { LabSite } from '../../lab/lab-site.ts';
import { tempFolder } from '../../support/temp-folder.ts';

/** A machine that runs, and root's shell in it. */
export interface SceneMachine extends AsyncDisposable {
  /** Runs a command line and gives what it printed; throws when it does not end well. */
  run(command: string, timeoutMs?: number): Promise<string>;
  /** The same, whatever its status. */
  attempt: GuestShell['run'];
  /** All that the console said so far. */
  console(): string;
}

const BOOT_MS = 480_000;
const COMMAND_MS = 300_000;

/** Starts the machine of a site, changed as told, and waits for its shell. Dispose of it to end it. */
export async function startScene(
  { folder, disk }: LabSite,
  change: (plan: MachinePlan, scratch: string) => MachinePlan,
): Promise<SceneMachine> {
  const factory = await loadFactory(join(folder, 'factory.yaml'), realHost);
  const [site] = selectSites(factory, ['bip']);
  if (site === undefined) throw new Error('there is no site bip');
  const iso = join(folder, 'out/bip/bip.iso');
  const scratch = tempFolder();
  const logFolder = join(scratch, 'log');
  mkdirSync(logFolder);
  const { plan } = await prepareMachine(
    site,
    { iso, ignition: await embeddedIgnition(iso) },
    { disk, memoryMiB: undefined, firmware: 'bios', processors: 2 },
    { scratch, logFolder },
    realHost,
  );
  const changed = change(plan, scratch);
  const machine = await startUp(changed);
  return (
    machine ?? (await startUp({ ...changed, accelerator: 'tcg' })) ?? fail('QEMU gave up on the machine')
  );
}

function fail(message: string): never {
  throw new Error(message);
}

/** Starts a machine and waits for its shell; undefined where KVM gives up, as it does inside of some virtual machines. */
async function startUp(plan: MachinePlan): Promise<SceneMachine | undefined> {
  const machine = startMachine(plan, realHost);
  const { shell: socket, console } = machineFiles(plan);
  const shell = openGuestShell(socket, realHost);
  const text = (): string => readFileSync(console, 'latin1');
  const end = async (): Promise<void> => {
    shell.close();
    await machine[Symbol.asyncDispose]();
  };
  const until = Date.now() + BOOT_MS;
  while (!(await shell.isThere())) {
    const result = machine.result();
    if (result === undefined && (await machine.isStuck())) {
      await end();
      return undefined;
    }
    if (result !== undefined || Date.now() > until) {
      await end();
      return fail(`the machine did not come up: ${result?.stderr ?? ''}\n${text().slice(-10_000)}`);
    }
    await delay(1000);
  }
  return {
    run: async (command, timeoutMs = COMMAND_MS) => {
      const answer = await shell.run(command, timeoutMs);
      if (answer?.status === 0) return answer.output;
      const said = answer === undefined ? 'gave no answer' : `ended with ${answer.status}: ${answer.output}`;
      throw new Error(`${command} ${said}\n${text().slice(-5000)}`);
    },
    attempt: (command, timeoutMs = COMMAND_MS) => shell.run(command, timeoutMs),
    console: text,
    [Symbol.asyncDispose]: end,
  };
}
