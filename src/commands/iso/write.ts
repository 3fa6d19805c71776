import { Args, Flags } from '@oclif/core';
import { describeContent, describeDevice } from '../../disk/device/describe-device.ts';
import { deviceDangers } from '../../disk/device/device-dangers.ts';
import type { PlannedStick } from '../../disk/stick/plan-sticks.ts';
import { type StickResult, type StickStep, sticksError } from '../../disk/stick/write-sticks.ts';
import { EdgefabError } from '../../errors.ts';
import { makeSticks } from '../../factory/make-sticks.ts';
import { realHost } from '../../host/real-host.ts';
import { askLine } from '../terminal/ask-line.ts';
import { confirmSticks } from '../terminal/confirm-sticks.ts';
import { EdgefabCommand } from '../terminal/edgefab-command.ts';
import type { Progress } from '../terminal/progress.ts';
import { stickPairs } from '../terminal/stick-pairs.ts';

export default class IsoWrite extends EdgefabCommand {
  static override summary = 'Write boot sticks: one ISO, or one for each site, to many USB sticks at once';
  static override description =
    'Erases the sticks. Each is shown with its serial, model and size, and confirmed by its serial: typed at the terminal, or ' +
    'in a script by --yes for a blank one, and --yes --wipe --confirm SERIAL for one with anything on it. Disks that are mounted, in use, of ' +
    'the running system, part of a pool or too small are refused before anything is written to any. What was written is read back from the stick. The first MiB goes on ' +
    'last: a stick that was not finished does not boot.';
  static override examples = [
    '<%= config.bin %> iso write --iso out/oslo/oslo.iso /dev/disk/by-id/usb-Ultra_A1-0:0 /dev/disk/by-id/usb-Ultra_A2-0:0',
    '<%= config.bin %> iso write --pair oslo=/dev/disk/by-id/usb-Ultra_A1-0:0 --pair bergen=/dev/disk/by-id/usb-Ultra_A2-0:0',
    '<%= config.bin %> iso write --pair oslo=/dev/disk/by-id/usb-Ultra_A1-0:0 --yes --wipe --confirm A1',
  ];
  static override strict = false;
  static override args = {
    device: Args.string({
      description: 'whole disks, best by their names in /dev/disk/by-id; needs --iso',
      name: 'DEVICE...',
    }),
  };
  static override flags = {
    iso: Flags.string({ description: 'the ISO for every DEVICE' }),
    pair: Flags.string({
      description: 'SITE=DEVICE or FILE.iso=DEVICE: what goes where',
      multiple: true,
      multipleNonGreedy: true,
      default: [],
    }),
    out: Flags.string({ description: 'the folder sites were built into, for --pair SITE=…', default: 'out' }),
    yes: Flags.boolean({ char: 'y', description: 'do not ask; enough for blank sticks' }),
    wipe: Flags.boolean({ description: 'erase what is on the sticks; with --confirm for each' }),
    confirm: Flags.string({
      description:
        'the serial of a stick that may be erased (or the name that is asked for where it has none)',
      multiple: true,
      multipleNonGreedy: true,
      default: [],
    }),
    'dry-run': Flags.boolean({ description: 'show what would be done, and write nothing' }),
  };

  async run(): Promise<unknown> {
    const { argv, flags } = await this.parse(IsoWrite);
    this.begin(flags);
    const pairs = stickPairs(argv.map(String), flags);
    const progress = this.createProgress();
    const { yes, wipe, confirm: confirmed } = flags;
    const asks = !yes && process.stdin.isTTY === true && process.stderr.isTTY === true && !this.jsonEnabled();
    let planned: readonly PlannedStick[] = [];
    const { results, receipts } = await makeSticks(
      pairs,
      {
        consent: { yes, wipe, confirmed },
        isDryRun: flags['dry-run'],
        signal: this.signal,
        ...(asks
          ? { confirm: (sticks) => confirmSticks(sticks, (question) => askLine(question, this.signal)) }
          : {}),
        onPlan: (sticks, totalBytes) => {
          planned = sticks;
          if (flags['dry-run']) return;
          for (const stick of sticks) this.say('info', describePlan(stick));
          progress.start('writing and reading back', totalBytes);
        },
        onStep: showSteps(progress),
      },
      realHost,
    ).finally(() => progress.end());
    if (flags['dry-run']) {
      for (const stick of planned) {
        this.print(describePlan(stick));
        for (const { suggestion } of deviceDangers(stick.device, stick.want)) this.print(`  ${suggestion}`);
      }
      return { kind: 'StickPlan', sticks: planned.map(planDocument) };
    }
    for (const result of results) this.#printResult(result);
    for (const receipt of receipts) this.print(`added to ${receipt}`);
    const document = { kind: 'Sticks', sticks: results.map(resultDocument), receipts };
    const error = sticksError(results);
    if (error === undefined) return document;
    if (!this.jsonEnabled() || this.signal.aborted) throw error;
    process.exitCode = error instanceof EdgefabError ? error.exitCode : 1;
    return { ...document, ...(this.toErrorJson(error) as object) };
  }

  #printResult(result: StickResult): void {
    const { device, image } = result;
    switch (result.state) {
      case 'written':
        this.print(`${describeDevice(device)}: holds ${image.path}, read back equal`);
        return;
      case 'unfinished':
        this.say('warn', `${describeDevice(device)}: unfinished, and made so that it does not boot`);
        return;
      case 'untouched':
        this.say('warn', `${describeDevice(device)}: nothing was written to it`);
        return;
      default:
        result satisfies never;
    }
  }
}

function describePlan({ device, image }: PlannedStick): string {
  const hybrid = image.isHybrid
    ? ''
    : '\n  warning: this ISO has no partition table, most machines will not boot it from a stick';
  return `${describeDevice(device)}: ${describeContent(device.content)}, becomes ${image.path} (volume ${image.volumeId}, ${image.sizeBytes} bytes)${hybrid}`;
}

/** Tells of a stick when its percentage changes. */
function showSteps(progress: Progress): (step: StickStep) => void {
  const shown = new Map<string, string>();
  return ({ device, phase, doneBytes, totalBytes, bytes }) => {
    progress.advance(bytes);
    const now = `${phase} ${Math.floor((doneBytes / totalBytes) * 100)}`;
    if (shown.get(device) === now) return;
    shown.set(device, now);
    progress.tell({ kind: 'stick', device, phase, doneBytes, totalBytes });
  };
}

function stickDocument({ device, image }: PlannedStick): object {
  const { path, name, byId, serial, model, sizeBytes } = device;
  return {
    device: path,
    name,
    byId: byId[0] ?? null,
    serial: serial ?? null,
    model: model ?? null,
    sizeBytes,
    iso: image.path,
  };
}

function planDocument(stick: PlannedStick): object {
  const { content, uses } = stick.device;
  return { ...stickDocument(stick), isoSizeBytes: stick.image.sizeBytes, content, uses };
}

function resultDocument(result: StickResult): object {
  const common = { ...stickDocument(result), isoSha256: result.sha256, state: result.state };
  if (result.state === 'written') return { ...common, writtenAt: result.writtenAt, readBack: 'equal' };
  const { error } = result;
  return {
    ...common,
    code: error instanceof EdgefabError ? error.code : null,
    reason: error instanceof Error ? error.message : String(error),
  };
}
