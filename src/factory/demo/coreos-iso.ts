import { writeFile } from 'node:fs/promises';
import { encodeLegacyHeaders } from '../../boot/iso/legacy-headers.ts';
import { EdgefabError } from '../../errors.ts';
import { SYSTEM_AREA_BYTES } from '../../formats/iso9660-layout.ts';
import { encodeIso9660 } from '../../formats/iso9660-writer.ts';
import { type BootFiles, bootFiles, type DemoIsoArchitecture } from './boot-files.ts';

/**
 * How an image says where its embed areas are, newest first. `igninfo-json`: both JSON files, with padding told (since
 * 2023-07); `igninfo-json-plain`: without (2022-12); `kargs-json`: kargs.json alone (2022-02); `kargs-json-and-headers`:
 * beside both headers (2021-09); `system-area`: both headers (2021-01); `ignition-header`: one header, no kernel
 * arguments (2020); `initramfs-tail`: the same, and the area is the end of the initramfs (2019).
 */
export const DEMO_ISO_GENERATIONS = [
  'igninfo-json',
  'igninfo-json-plain',
  'kargs-json',
  'kargs-json-and-headers',
  'system-area',
  'ignition-header',
  'initramfs-tail',
] as const;
export type DemoIsoGeneration = (typeof DEMO_ISO_GENERATIONS)[number];

export interface DemoIsoOptions {
  readonly areaBytes?: number;
  /** Not for s390x, whose boot image has a fixed place. */
  readonly kargsCapacity?: number;
  readonly defaultKargs?: string;
  readonly generation?: DemoIsoGeneration;
  /** s390x had no areas before `igninfo-json-plain`. */
  readonly architecture?: DemoIsoArchitecture;
}

/** The volume id of every image made here, so that none is taken for a real one. */
const DEMO_VOLUME_ID = 'edgefab-demo';

const DEFAULT_AREA_BYTES = 262_144;
const DEFAULT_KARGS_CAPACITY = 1139;
const DEFAULT_KARGS = 'coreos.liveiso=edgefab-demo ignition.firstboot ignition.platform.id=metal';
const NOTICE =
  'This image was made up by edgefab for demonstrations and tests. It holds no operating system and does not boot.\n';

const CMDLINE = 'cmdline.txt';
const AREA = 'images/ignition.img';
const INITRAMFS = 'images/initramfs.img';

interface SourceFile {
  readonly path: string;
  readonly bytes: Uint8Array;
}

function json(value: unknown): Uint8Array {
  return Buffer.from(`${JSON.stringify(value, undefined, 2)}\n`);
}

/** The file that holds the Ignition area, and where in it that begins. */
function ignitionArea(generation: DemoIsoGeneration, areaBytes: number): SourceFile & { offset: number } {
  if (generation !== 'initramfs-tail') return { path: AREA, bytes: new Uint8Array(areaBytes), offset: 0 };
  const initramfs = Buffer.from(`Not an initramfs. ${NOTICE}`);
  return {
    path: INITRAMFS,
    bytes: Buffer.concat([initramfs, Buffer.alloc(areaBytes)]),
    offset: initramfs.length,
  };
}

const HAS = {
  igninfo: ['igninfo-json', 'igninfo-json-plain'],
  kargsJson: ['igninfo-json', 'igninfo-json-plain', 'kargs-json', 'kargs-json-and-headers'],
  features: ['igninfo-json', 'igninfo-json-plain', 'kargs-json', 'kargs-json-and-headers', 'system-area'],
  kargsHeader: ['kargs-json-and-headers', 'system-area'],
  ignitionHeader: ['kargs-json-and-headers', 'system-area', 'ignition-header', 'initramfs-tail'],
} as const satisfies Record<string, readonly DemoIsoGeneration[]>;

function has(what: keyof typeof HAS, generation: DemoIsoGeneration): boolean {
  return (HAS[what] as readonly DemoIsoGeneration[]).includes(generation);
}

function describingFiles(
  generation: DemoIsoGeneration,
  boot: BootFiles,
  area: { readonly path: string; readonly offset?: number; readonly length?: number },
  defaultKargs: string,
): SourceFile[] {
  const files: SourceFile[] = [];
  if (has('features', generation)) {
    const features = {
      'installer-config': true,
      'installer-config-directives': { 'save-partlabel': true },
      'live-initrd-network': true,
    };
    files.push({ path: 'coreos/features.json', bytes: json(features) });
  }
  const { path: file, ...place } = area;
  if (has('igninfo', generation))
    files.push({ path: 'coreos/igninfo.json', bytes: json({ file, ...place }) });
  // On s390x kernel arguments came half a year after Ignition, with the padding that they need.
  const told = generation === 'igninfo-json';
  if (has('kargsJson', generation) && (told || boot.pad === '#')) {
    const ends = told ? { pad: boot.pad, end: boot.end } : {};
    const places = boot.areas.map(({ path, offset }) => ({ ...ends, offset, path }));
    const kargs = { default: defaultKargs, files: places, size: boot.capacityBytes };
    files.push({ path: 'coreos/kargs.json', bytes: json(kargs) });
  }
  if (has('kargsHeader', generation)) files.push({ path: CMDLINE, bytes: boot.defaultArea });
  return files;
}

/**
 * Encodes a small image that edgefab and coreos-installer take for a CoreOS live ISO: an empty Ignition area of
 * `areaBytes`, the default kernel arguments where the architecture has them, placeholders for kernel, initrd and
 * rootfs. Same options, same bytes. Throws KARGS_AREA_FULL when the defaults do not fit `kargsCapacity` bytes,
 * USAGE_INVALID for a generation that s390x did not have.
 */
export function encodeCoreosIso(options: DemoIsoOptions = {}): Uint8Array {
  const {
    areaBytes = DEFAULT_AREA_BYTES,
    kargsCapacity = DEFAULT_KARGS_CAPACITY,
    defaultKargs = DEFAULT_KARGS,
    generation = 'igninfo-json',
    architecture = 'x86_64',
  } = options;
  const boot = bootFiles({ architecture, kargsCapacity, defaultKargs, areaBytes, notice: NOTICE });
  const own = ignitionArea(generation, areaBytes);
  const { inBootImage } = boot;
  if (inBootImage !== undefined && !has('igninfo', generation)) {
    throw new EdgefabError(`there is no ${architecture} image of generation ${generation}`, {
      code: 'USAGE_INVALID',
    });
  }
  const files = [
    { path: 'README.txt', bytes: Buffer.from(NOTICE) },
    ...boot.files,
    ...(inBootImage === undefined ? [{ path: own.path, bytes: own.bytes }] : []),
    ...describingFiles(generation, boot, inBootImage ?? { path: own.path }, defaultKargs),
  ];
  const { bytes, offsets } = encodeIso9660({ volumeId: DEMO_VOLUME_ID, files });
  if (has('ignitionHeader', generation)) {
    const at = (path: string, inFile: number) => (offsets.get(path) ?? 0) + inFile;
    const ignition = { offset: at(own.path, own.offset), sizeBytes: areaBytes };
    const kargs = {
      sizeBytes: boot.capacityBytes,
      defaultOffset: at(CMDLINE, 0),
      areaOffsets: boot.areas.map(({ path, offset }) => at(path, offset)),
    };
    const headers = encodeLegacyHeaders(ignition, has('kargsHeader', generation) ? kargs : undefined);
    bytes.set(headers, SYSTEM_AREA_BYTES - headers.length);
  }
  return bytes;
}

/** Writes the image of `encodeCoreosIso` to a file, replacing what is there. */
export async function makeCoreosIso(path: string, options: DemoIsoOptions = {}): Promise<void> {
  await writeFile(path, encodeCoreosIso(options));
}
