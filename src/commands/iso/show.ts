import { Args } from '@oclif/core';
import { describeIso, type IsoDescription } from '../../boot/iso/describe-iso.ts';
import { showText } from '../../formats/shown-text.ts';
import { EdgefabCommand } from '../terminal/edgefab-command.ts';

const MAX_LINE = 4096;

function percent(part: number, whole: number): string {
  return `${Math.round((part * 100) / whole)}%`;
}

function systemLine({ os, architecture }: IsoDescription): string {
  const what = os === undefined ? 'not a name CoreOS images have' : `${os.name} ${os.version}`;
  const notes = [
    ...(os?.release === undefined ? [] : [`${os.name === 'SCOS' ? 'OKD' : 'OpenShift'} ${os.release}`]),
    ...(os?.base === undefined ? [] : [os.base]),
    ...(os?.stream === undefined ? [] : [os.stream]),
  ];
  const built = notes.length === 0 ? '' : ` (${notes.join(', ')})`;
  return `${what}${built}, ${architecture ?? 'architecture not told'}`;
}

function featuresLine({ iso, canBeMinimal }: IsoDescription): string {
  const { installerConfig, installerDirectives, liveInitrdNetwork } = iso.features;
  const all = [
    ...(installerConfig ? [`installer config (${installerDirectives.length} directives told)`] : []),
    ...(liveInitrdNetwork ? ['embedded network files'] : []),
    ...(canBeMinimal ? ['minimal ISO'] : []),
  ];
  return all.length === 0 ? 'none told' : all.join(', ');
}

export default class IsoShow extends EdgefabCommand {
  static override summary =
    'Show what is inside a CoreOS live ISO: its areas, how full they are, and what they hold';
  static override description =
    'Reads live ISOs since 2019, of any architecture, as downloaded or with something embedded by edgefab or ' +
    'coreos-installer. Content is not shown: edgefab iso extract gets it out.';
  static override examples = ['<%= config.bin %> iso show out/bip/bip.iso'];
  static override args = {
    iso: Args.string({ description: 'a CoreOS live ISO, plain or built', required: true }),
  };

  async run(): Promise<unknown> {
    const { args, flags } = await this.parse(IsoShow);
    this.begin(flags);
    const shown = await describeIso(args.iso);
    const { iso, ignitionFill, compression, embedded, ignition, kargs } = shown;
    // Names and arguments come out of the image.
    const print = (label: string, text: string): void =>
      this.print(`${label.padEnd(14)}${showText(text, MAX_LINE)}`);
    print('volume', `${iso.volumeId}, ${iso.sizeBytes} bytes (${iso.generation})`);
    print('system', systemLine(shown));
    print('features', featuresLine(shown));
    const { sizeBytes, offset, file } = iso.ignition;
    print('embed area', `${sizeBytes} bytes at ${offset} (${file})`);
    const { usedBytes } = ignitionFill;
    if (usedBytes > 0)
      print('  used', `${usedBytes} bytes, ${percent(usedBytes, sizeBytes)} (${compression})`);
    if (embedded.length === 0) print('embedded', 'nothing');
    for (const { path, sizeBytes: bytes, kind } of embedded) {
      const spec = kind === 'ignition' ? `, Ignition ${ignition?.version ?? 'of no version told'}` : '';
      print(kind === 'network' ? 'network' : 'embedded', `${path}, ${bytes} bytes${spec}`);
    }
    if (kargs === undefined) {
      print('kernel args', 'this image has no area for them');
    } else {
      print('kernel args', kargs.current);
      print('  default', kargs.default);
      if (kargs.changes.length > 0) print('  changes', kargs.changes.join(' '));
      const { usedBytes: used, capacityBytes } = kargs;
      const places = iso.kargs?.areas.length ?? 0;
      print(
        '  capacity',
        `${used} of ${capacityBytes} bytes, ${percent(used, capacityBytes)}, in ${places} ${places === 1 ? 'place' : 'places'}`,
      );
    }
    return {
      kind: 'Iso',
      ...iso,
      os: shown.os ?? null,
      architecture: shown.architecture ?? null,
      canBeMinimal: shown.canBeMinimal,
      ignitionUsedBytes: usedBytes,
      compression: compression ?? null,
      embedded,
      ignitionConfig:
        ignition === undefined ? null : { sizeBytes: ignition.sizeBytes, version: ignition.version ?? null },
      currentKargs: kargs?.current ?? null,
      kargsUsedBytes: kargs?.usedBytes ?? null,
      kargsChanges: kargs?.changes ?? [],
    };
  }
}
