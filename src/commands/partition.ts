import { Args, type Interfaces } from '@oclif/core';
import { readInstalledImages } from '../boot/iso/installed-image.ts';
import type { PartitionOptions, PartitionPlan } from '../disk/partition/partition-change.ts';
import { partitionDisk } from '../disk/partition/partition-disk.ts';
import { restoreTable } from '../disk/partition/partition-restore.ts';
import { retryInstall } from '../disk/partition/partition-retry.ts';
import { realHost } from '../host/real-host.ts';
import { askLine } from './terminal/ask-line.ts';
import { confirmDisk } from './terminal/confirm-disk.ts';
import { EdgefabCommand } from './terminal/edgefab-command.ts';
import { formatBytes } from './terminal/format-amount.ts';
import { backupName, parsePartitionFlags, partitionFlags } from './terminal/partition-flags.ts';
import { renderPartitionPlan } from './terminal/render-partition.ts';

type Flagged = Interfaces.InferredFlags<typeof Partition.flags>;

export default class Partition extends EdgefabCommand {
  static override summary = 'Prepare a disk for a cache: one partition, XFS that every node mounts';
  static override description =
    "Shows the plan, and at a terminal asks for the disk's serial. In a script --yes carries it out, and a disk that is not " +
    'blank wants --wipe and --confirm as well. The old table is saved to a file first. Run it again after any interruption: it goes on where it stopped.';
  static override usage = [
    '<%= command.id %> DEVICE [--on-target [--live-iso FILE]] [--size SIZE] [--number N] [--label NAME] [--backup FILE] [--dry-run | --yes [--wipe --confirm SERIAL]]',
    '<%= command.id %> DEVICE --retry-install [--label NAME] [--backup FILE] [--dry-run | --yes --confirm SERIAL]',
    '<%= command.id %> DEVICE --restore FILE [--dry-run | --yes --confirm SERIAL]',
  ];
  static override examples = [
    '<%= config.bin %> partition /dev/disk/by-id/usb-Samsung_T7_S5SXNS0R700159 --dry-run',
    '<%= config.bin %> partition /dev/disk/by-id/usb-Samsung_T7_S5SXNS0R700159 --yes',
    '<%= config.bin %> partition /dev/sda --on-target --size 250GiB --yes --wipe --confirm S5SXNS0R700159',
    '<%= config.bin %> partition /dev/sda --retry-install --yes --confirm S5SXNS0R700159',
    '<%= config.bin %> partition /dev/sda --restore edgefab-table-sda-2026-11-21T203622.120Z.json --yes --confirm S5SXNS0R700159',
  ];
  static override args = {
    device: Args.string({
      description: 'the whole disk, best by its name in /dev/disk/by-id',
      required: true,
    }),
  };
  static override flags = partitionFlags;

  async run(): Promise<unknown> {
    const { args, flags } = await this.parse(Partition);
    this.begin(flags);
    const asks = process.stdin.isTTY && process.stderr.isTTY && !flags.yes && !flags['dry-run'];
    const options: PartitionOptions = {
      consent: {
        yes: flags.yes,
        wipe: flags.wipe,
        confirmed: flags.confirm === undefined ? [] : [flags.confirm],
      },
      ...(asks ? { ask: (disk) => confirmDisk(disk, (question) => askLine(question, this.signal)) } : {}),
      dryRun: flags['dry-run'],
      backupFile: flags.backup ?? backupName(args.device, realHost.now()),
      onPlan: (plan) => {
        for (const line of renderPartitionPlan(plan)) this.print(line);
        this.print();
      },
    };
    if (flags.restore !== undefined) return await this.#restore(args.device, flags.restore, options);
    if (flags['retry-install']) return await this.#retry(args.device, flags, options);
    return await this.#prepare(args.device, flags, options);
  }

  async #prepare(device: string, flags: Flagged, options: PartitionOptions): Promise<unknown> {
    const { plan, partition, fileSystem } = await partitionDisk(
      device,
      { ...parsePartitionFlags(flags), ...(await this.#imageSize(flags['live-iso'])) },
      options,
      realHost,
    );
    if (partition === undefined || fileSystem === undefined) return this.#dryRun(plan);
    const sizeBytes = (partition.lastLba - partition.firstLba + 1) * plan.sectorBytes;
    this.print(
      `partition ${partition.number}, ${partition.name}, ${formatBytes(sizeBytes)}, GUID ${partition.guid}`,
    );
    this.print(
      `XFS       ${fileSystem.uuid}, for sectors of up to ${fileSystem.sectorBytes} bytes; read back and sound`,
    );
    return { kind: 'Partition', dryRun: false, plan, partition: { ...partition, sizeBytes }, fileSystem };
  }

  /** The size of what the ISO installs, for the largest of its images. */
  async #imageSize(liveIso: string | undefined): Promise<{ imageBytes?: number }> {
    if (liveIso === undefined) return {};
    const images = await readInstalledImages(liveIso);
    const imageBytes = Math.max(0, ...images.map(({ sizeBytes }) => sizeBytes));
    this.say(
      'info',
      imageBytes === 0
        ? `${liveIso} does not tell how large the image is that it installs; 120 GiB are left for the node in any case.`
        : `${liveIso} installs an image of ${formatBytes(imageBytes)}.`,
    );
    return { imageBytes };
  }

  async #retry(device: string, flags: Flagged, options: PartitionOptions): Promise<unknown> {
    const { plan, kept, isChanged } = await retryInstall(
      device,
      flags.label ?? 'edgefab-node',
      options,
      realHost,
    );
    if (options.dryRun) return this.#dryRun(plan);
    if (isChanged) {
      this.print(
        `deleted; partition ${kept.number}, ${kept.name}, has the same entry and the same bytes at both ends`,
      );
      this.say('info', 'Before you rely on the cache: mount it and run edgefab cache verify.');
    }
    return { kind: 'Partition', dryRun: false, plan, kept, isChanged };
  }

  async #restore(device: string, file: string, options: PartitionOptions): Promise<unknown> {
    const plan = await restoreTable(device, file, options, realHost);
    if (options.dryRun) return this.#dryRun(plan);
    this.print('the saved table is back, and was read back');
    return { kind: 'Partition', dryRun: false, plan };
  }

  #dryRun(plan: PartitionPlan): unknown {
    this.say('info', 'Nothing was written (--dry-run).');
    return { kind: 'Partition', dryRun: true, plan };
  }
}
