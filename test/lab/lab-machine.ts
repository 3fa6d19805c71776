import { type ChildProcess, spawn } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { onTestFinished } from 'vitest';
import { loadFactory } from '../../src/factory/load.ts';
import { loadReceipt } from '../../src/factory/receipt/load-receipt.ts';
import { capturedTraffic } from '../../src/factory/rehearse/captured-traffic.ts';
import { embeddedIgnition } from '../../src/factory/rehearse/embedded-ignition.ts';
import { type GuestResult, type GuestShell, openGuestShell } from '../../src/factory/rehearse/guest-shell.ts';
import { askUnits, type GuestUnit } from '../../src/factory/rehearse/guest-units.ts';
import type { NetworkTraffic } from '../../src/factory/rehearse/network-traffic.ts';
import { prepareMachine } from '../../src/factory/rehearse/prepare-machine.ts';
import { type MachinePlan, machineFiles } from '../../src/factory/rehearse/qemu-command.ts';
import { startMachine, type VirtualMachine } from '../../src/factory/rehearse/virtual-machine.ts';
import { selectSites } from '../../src/factory/select-sites.ts';
import type { Host } from '../../src/host/host.ts';
import { realHost } from '../../src/host/real-host.ts';
import { tempFolder } from '../support/temp-folder.ts';
import { askQemu } from './ask-qemu.ts';
import type { LabSite } from './lab-site.ts';

/** A site's machine with its disk, which can be switched on again and again. */
export interface LabMachine {
  readonly plan: MachinePlan;
  /** Switches it on, with or without what may be plugged in; dispose of the run to end it. */
  switchOn(change?: Partial<Omit<MachinePlan, 'accelerator' | 'logFolder'>>): LabRun;
}

/** From the moment the machine is switched on until it is off. */
export interface LabRun extends AsyncDisposable {
  /** What the console shows so far. */
  console(): string;
  /** Waits until the console shows something; fails with the console's end when it does not. */
  shows(sign: RegExp, seconds: number): Promise<void>;
  /** Waits until root's shell answers. */
  up(seconds: number): Promise<void>;
  /** Runs a command line as root and gives what it printed; fails when its status is not 0. */
  run(command: string, seconds?: number): Promise<string>;
  /** The same, whatever its status. */
  attempt(command: string, seconds?: number): Promise<GuestResult>;
  /** Waits until none of the units is on its way any more, and gives them. */
  atRest(units: readonly string[], seconds: number): Promise<readonly GuestUnit[]>;
  /** Waits until the machine restarts or switches itself off. */
  ended(seconds: number): Promise<void>;
  /** Takes the power away, at once. */
  cutPower(): Promise<void>;
  /** Pulls the cache disk out while the machine runs. */
  pullCacheDisk(): Promise<void>;
  /** Plugs an image of a cache disk in while the machine runs, where there is none. */
  plugCacheDisk(image: string): Promise<void>;
  /** What the cards have seen so far. */
  traffic(): Promise<NetworkTraffic>;
}

const POLL_MS = 500;
/** The machine itself works for an answer about its units: a third of a second, when it is emulated. */
const ASK_MS = 3000;
const COMMAND_SECONDS = 180;
const SHOWN_CHARS = 6000;
const OUTPUT_CHARS = 4000;

/** A host that keeps hold of the program it runs. */
function killableHost(): { readonly host: Pick<Host, 'run' | 'sleep'>; kill(): void } {
  let child: ChildProcess | undefined;
  return {
    host: {
      sleep: realHost.sleep,
      run: (program, args) =>
        new Promise((resolve, reject) => {
          let stderr = '';
          child = spawn(program, args, { stdio: ['ignore', 'ignore', 'pipe'] });
          child.stderr?.on('data', (part) => {
            stderr += String(part);
          });
          child.on('error', reject);
          child.on('close', (code) => resolve({ exitCode: code ?? undefined, stdout: '', stderr }));
        }),
    },
    kill: () => void child?.kill('SIGKILL'),
  };
}

interface Started {
  readonly machine: VirtualMachine;
  readonly shell: GuestShell;
  readonly kill: () => void;
}

function start(plan: MachinePlan): Started {
  const { host, kill } = killableHost();
  return { machine: startMachine(plan, host), shell: openGuestShell(machineFiles(plan).shell, host), kill };
}

class Run implements LabRun {
  #plan: MachinePlan;
  #started: Started;
  readonly #onSlow: () => void;

  constructor(plan: MachinePlan, onSlow: () => void) {
    this.#plan = plan;
    this.#started = start(plan);
    this.#onSlow = onSlow;
  }

  get #machine(): VirtualMachine {
    return this.#started.machine;
  }

  get #shell(): GuestShell {
    return this.#started.shell;
  }

  /** Starts anew without KVM where that gave up, as it does inside of some virtual machines. */
  async #withoutKvm(): Promise<void> {
    if (this.#plan.accelerator !== 'kvm' || this.console() !== '') return;
    if (this.#machine.result() !== undefined || !(await this.#machine.isStuck())) return;
    await this[Symbol.asyncDispose]();
    this.#onSlow();
    this.#plan = { ...this.#plan, accelerator: 'tcg' };
    this.#started = start(this.#plan);
  }

  console(): string {
    try {
      return readFileSync(machineFiles(this.#plan).console, 'latin1');
    } catch {
      return '';
    }
  }

  #fail(what: string): Error {
    const stderr = this.#machine.result()?.stderr ?? '';
    return new Error(
      `${what}; console in ${this.#plan.logFolder}:\n${this.console().slice(-SHOWN_CHARS)}${stderr}`,
    );
  }

  async #until(
    look: () => boolean | Promise<boolean>,
    seconds: number,
    what: string,
    everyMs = POLL_MS,
  ): Promise<void> {
    const end = Date.now() + seconds * 1000;
    while (!(await look())) {
      if (Date.now() > end) throw this.#fail(`${what}: not within ${seconds} s`);
      await delay(everyMs);
    }
  }

  #runs(what: string): void {
    if (this.#machine.result() !== undefined) throw this.#fail(`${what}: the machine is off`);
  }

  async shows(sign: RegExp, seconds: number): Promise<void> {
    const what = `the console shows ${sign}`;
    const look = async (): Promise<boolean> => {
      await this.#withoutKvm();
      if (sign.test(this.console())) return true;
      this.#runs(what);
      return false;
    };
    await this.#until(look, seconds, what);
  }

  async up(seconds: number): Promise<void> {
    // Asked earlier, the questions pile up: a slow machine then answers those of long ago.
    await this.shows(/Switching root[\s\S]*Started [^\n]*debug-shell/, seconds);
    const look = async (): Promise<boolean> => {
      this.#runs('root has a shell');
      return await this.#shell.isThere();
    };
    await this.#until(look, seconds, 'root has a shell');
  }

  async run(command: string, seconds = COMMAND_SECONDS): Promise<string> {
    const { status, output } = await this.attempt(command, seconds);
    if (status === 0) return output;
    throw this.#fail(`${command}: status ${status}: ${output.slice(-OUTPUT_CHARS)}`);
  }

  async attempt(command: string, seconds = COMMAND_SECONDS): Promise<GuestResult> {
    const result = await this.#shell.run(command, seconds * 1000);
    if (result === undefined) throw this.#fail(`${command}: no answer`);
    return result;
  }

  async atRest(units: readonly string[], seconds: number): Promise<readonly GuestUnit[]> {
    let found: readonly GuestUnit[] = [];
    const look = async (): Promise<boolean> => {
      this.#runs(`${units.join(', ')} at rest`);
      found = (await askUnits(this.#shell, units)) ?? [];
      return found.length > 0 && found.every(({ state }) => state !== 'waiting');
    };
    await this.#until(look, seconds, `${units.join(', ')} at rest`, ASK_MS);
    return found;
  }

  async ended(seconds: number): Promise<void> {
    await this.#until(() => this.#machine.result() !== undefined, seconds, 'the machine restarts');
    this.#shell.close();
  }

  async cutPower(): Promise<void> {
    this.#started.kill();
    await this.ended(10);
  }

  async pullCacheDisk(): Promise<void> {
    await askQemu(machineFiles(this.#plan).control, 'device_del', { id: 'cache-disk' });
  }

  async plugCacheDisk(image: string): Promise<void> {
    const { control } = machineFiles(this.#plan);
    const file = { driver: 'file', filename: image, 'read-only': true };
    const node = { 'node-name': 'late-cache', driver: 'raw', 'read-only': true, file };
    await askQemu(control, 'blockdev-add', node);
    const device = { driver: 'virtio-blk-pci', id: 'late-cache-disk', drive: 'late-cache' };
    await askQemu(control, 'device_add', { ...device, serial: 'edgefab-late' });
  }

  async traffic(): Promise<NetworkTraffic> {
    return await capturedTraffic([this.#plan]);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#shell.close();
    await this.#machine[Symbol.asyncDispose]();
  }
}

/** Makes a folder for logs, which stays when the test fails. */
function logFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), 'edgefab-lab-'));
  onTestFinished(({ task }) => {
    if (task.result?.state === 'pass') rmSync(folder, { recursive: true, force: true });
  });
  return folder;
}

/** Prepares the machine of a site: its disk is as it comes from the shop. */
export async function labMachine(site: LabSite, firmware: 'bios' | 'uefi'): Promise<LabMachine> {
  const factory = await loadFactory(join(site.folder, 'factory.yaml'), realHost);
  const [only] = selectSites(factory, ['bip']);
  if (only === undefined) throw new RangeError('a site was selected');
  const out = join(site.folder, 'out/bip');
  const iso = join(out, (await loadReceipt(join(out, 'receipt.json'))).iso.file);
  const logs = logFolder();
  const { plan } = await prepareMachine(
    only,
    { iso, ignition: await embeddedIgnition(iso) },
    { disk: site.disk, memoryMiB: undefined, firmware, processors: 2 },
    { scratch: tempFolder(), logFolder: logs },
    realHost,
  );
  let runs = 0;
  let { accelerator } = plan;
  return {
    plan,
    switchOn: (change = {}) => {
      runs += 1;
      const logFolder = join(logs, String(runs));
      mkdirSync(logFolder);
      const slow = (): void => {
        accelerator = 'tcg';
      };
      return new Run({ ...plan, ...change, accelerator, logFolder }, slow);
    },
  };
}
