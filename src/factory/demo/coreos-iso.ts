import { writeFile } from 'node:fs/promises';
import { EdgefabError } from '../../errors.ts';
import { SYSTEM_AREA_BYTES } from '../../formats/iso9660-layout.ts';
import { encodeIso9660 } from '../../formats/iso9660-writer.ts';

/** How an image says where its embed areas are; CoreOS changed this in 2021 and in 2023. */
export type DemoIsoGeneration = 'igninfo-json' | 'kargs-json' | 'system-area';

export interface DemoIsoOptions {
  readonly areaBytes?: number;
  readonly kargsCapacity?: number;
  readonly defaultKargs?: string;
  readonly generation?: DemoIsoGeneration;
}

/** The volume id of every image made here, so that none is taken for a real one. */
const DEMO_VOLUME_ID = 'edgefab-demo';

const DEFAULT_AREA_BYTES = 262_144;
const DEFAULT_KARGS_CAPACITY = 1139;
const DEFAULT_KARGS = 'coreos.liveiso=edgefab-demo ignition.firstboot ignition.platform.id=metal';
const NOTICE =
  'This image was made up by edgefab for demonstrations and tests. It holds no operating system and does not boot.\n';

const GRUB = 'EFI/edgefab/grub.cfg';
const ISOLINUX = 'isolinux/isolinux.cfg';
const CMDLINE = 'cmdline.txt';
const AREA = 'images/ignition.img';

function json(value: unknown): Uint8Array {
  return Buffer.from(`${JSON.stringify(value, undefined, 2)}\n`);
}

/** A boot configuration with the kernel argument area in it, and where in the file the area starts. */
function bootConfig(before: string, area: Uint8Array): { bytes: Uint8Array; offset: number } {
  const head = Buffer.from(`# ${NOTICE}${before}`);
  return { bytes: Buffer.concat([head, area, Buffer.from(' end of the area\n')]), offset: head.length };
}

/** The header CoreOS images had before kargs.json: magic, length, offset of the defaults, offsets of the areas. */
function legacyHeader(capacity: number, defaults: number, areas: readonly number[]): Uint8Array {
  const header = Buffer.alloc(72);
  header.write('coreKarg', 'latin1');
  for (const [index, value] of [capacity, defaults, ...areas].entries()) {
    header.writeBigUInt64LE(BigInt(value), 8 + index * 8);
  }
  return header;
}

/**
 * Encodes a small image that edgefab and coreos-installer take for a CoreOS live ISO: an empty Ignition area of
 * `areaBytes`, the default kernel arguments in two boot configurations, placeholders for kernel, initrd and rootfs.
 * Same options, same bytes. Throws KARGS_AREA_FULL when the defaults do not fit `kargsCapacity` bytes.
 */
export function encodeCoreosIso(options: DemoIsoOptions = {}): Uint8Array {
  const {
    areaBytes = DEFAULT_AREA_BYTES,
    kargsCapacity = DEFAULT_KARGS_CAPACITY,
    defaultKargs = DEFAULT_KARGS,
    generation = 'igninfo-json',
  } = options;
  const line = Buffer.from(`${defaultKargs}\n`);
  if (line.length > kargsCapacity) {
    throw new EdgefabError(
      `default kernel arguments of the demo ISO have ${line.length} bytes with their line end, want at most ${kargsCapacity}`,
      { code: 'KARGS_AREA_FULL' },
    );
  }
  const area = Buffer.alloc(kargsCapacity, '#');
  line.copy(area);
  const grub = bootConfig('linux /images/pxeboot/vmlinuz ', area);
  const isolinux = bootConfig(
    'kernel /images/pxeboot/vmlinuz\nappend initrd=/images/pxeboot/initrd.img ',
    area,
  );
  const files = [
    { path: 'README.txt', bytes: Buffer.from(NOTICE) },
    { path: GRUB, bytes: grub.bytes },
    { path: ISOLINUX, bytes: isolinux.bytes },
    { path: AREA, bytes: new Uint8Array(areaBytes) },
    ...['vmlinuz', 'initrd.img', 'rootfs.img'].map((name) => ({
      path: `images/pxeboot/${name}`,
      bytes: Buffer.from(`Not a ${name}. ${NOTICE}`),
    })),
    {
      path: 'coreos/features.json',
      bytes: json({
        'installer-config': true,
        'installer-config-directives': { 'save-partlabel': true },
        'live-initrd-network': true,
      }),
    },
  ];
  if (generation === 'igninfo-json') files.push({ path: 'coreos/igninfo.json', bytes: json({ file: AREA }) });
  if (generation === 'system-area') {
    files.push({ path: CMDLINE, bytes: area });
  } else {
    const ends = generation === 'igninfo-json' ? { pad: '#', end: '\n' } : {};
    const places = [
      { ...ends, offset: grub.offset, path: GRUB },
      { ...ends, offset: isolinux.offset, path: ISOLINUX },
    ];
    const kargs = { default: defaultKargs, files: places, size: kargsCapacity };
    files.push({ path: 'coreos/kargs.json', bytes: json(kargs) });
  }
  const { bytes, offsets } = encodeIso9660({ volumeId: DEMO_VOLUME_ID, files });
  if (generation === 'system-area') {
    const at = (path: string, inFile: number) => (offsets.get(path) ?? 0) + inFile;
    const areas = [at(GRUB, grub.offset), at(ISOLINUX, isolinux.offset)];
    // The header ends 24 bytes before the first descriptor; those 24 once told of the Ignition area.
    bytes.set(legacyHeader(kargsCapacity, at(CMDLINE, 0), areas), SYSTEM_AREA_BYTES - 24 - 72);
  }
  return bytes;
}

/** Writes the image of `encodeCoreosIso` to a file, replacing what is there. */
export async function makeCoreosIso(path: string, options: DemoIsoOptions = {}): Promise<void> {
  await writeFile(path, encodeCoreosIso(options));
}
