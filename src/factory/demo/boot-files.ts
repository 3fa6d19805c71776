import { EdgefabError } from '../../errors.ts';

/** What machines the made image says it boots. */
export const DEMO_ISO_ARCHITECTURES = ['x86_64', 'aarch64', 'ppc64le', 's390x'] as const;
export type DemoIsoArchitecture = (typeof DEMO_ISO_ARCHITECTURES)[number];

/** Where a copy of the kernel arguments is: `offset` is in the file. */
interface AreaInFile {
  readonly path: string;
  readonly offset: number;
}

/** What boots an image, with the kernel arguments in it. */
export interface BootFiles {
  readonly files: readonly { readonly path: string; readonly bytes: Uint8Array }[];
  readonly areas: readonly AreaInFile[];
  readonly capacityBytes: number;
  readonly pad: string;
  readonly end: string;
  /** The default arguments as each area holds them. */
  readonly defaultArea: Uint8Array;
  /** The Ignition area, where the boot image holds it (s390x: its loader knows one initramfs only). */
  readonly inBootImage?: AreaInFile & { readonly length: number };
}

interface BootOptions {
  readonly architecture: DemoIsoArchitecture;
  readonly kargsCapacity: number;
  readonly defaultKargs: string;
  readonly areaBytes: number;
  readonly notice: string;
}

const PXEBOOT = 'images/pxeboot';
const GRUB = 'EFI/edgefab/grub.cfg';
const GRUB_PPC64LE = 'boot/grub/grub.cfg';
const ISOLINUX = 'isolinux/isolinux.cfg';
const CDBOOT = 'images/cdboot.img';

// Boot images of s390x are put together by mk-s390image: kernel arguments are at a fixed place in the kernel, which
// says what it is eight bytes into its second 32 KiB; the initramfs follows.
const S390X = { magic: 0x10008, kargs: 66_688, kargsBytes: 896, kernelBytes: 131_072 } as const;
// The kernel's own headers (Documentation/arch/arm64/booting; the ELF header's e_machine).
const ARM64 = { magicAt: 56, magic: 'ARM\x64', bytes: 64 } as const;
const PPC64LE = { magic: '\x7fELF\x02\x01', machineAt: 18, machine: 21, bytes: 64 } as const;

function kernelOf(architecture: DemoIsoArchitecture, notice: string): Buffer {
  const text = Buffer.from(`Not a vmlinuz. ${notice}`);
  switch (architecture) {
    case 'x86_64':
      return text;
    case 'aarch64': {
      const header = Buffer.alloc(ARM64.bytes);
      header.write(ARM64.magic, ARM64.magicAt, 'latin1');
      return Buffer.concat([header, text]);
    }
    case 'ppc64le': {
      const header = Buffer.alloc(PPC64LE.bytes);
      header.write(PPC64LE.magic, 'latin1');
      header.writeUInt16LE(PPC64LE.machine, PPC64LE.machineAt);
      return Buffer.concat([header, text]);
    }
    case 's390x': {
      const kernel = Buffer.alloc(S390X.kernelBytes);
      text.copy(kernel);
      kernel.write('S390EP', S390X.magic, 'latin1');
      return kernel;
    }
    default:
      return architecture satisfies never;
  }
}

function areaOf(defaultKargs: string, capacityBytes: number, pad: string, end: string): Buffer {
  const line = Buffer.from(defaultKargs + end);
  if (line.length > capacityBytes) {
    throw new EdgefabError(
      `default kernel arguments of the demo ISO have ${line.length} bytes with their line end, want at most ${capacityBytes}`,
      { code: 'KARGS_AREA_FULL' },
    );
  }
  const area = Buffer.alloc(capacityBytes, pad);
  line.copy(area);
  return area;
}

/** A boot configuration with the kernel argument area in it, and where in the file the area starts. */
function bootConfig(path: string, notice: string, before: string, area: Uint8Array) {
  const head = Buffer.from(`# ${notice}${before}`);
  return { path, bytes: Buffer.concat([head, area, Buffer.from(' end of the area\n')]), offset: head.length };
}

function s390xFiles({ defaultKargs, areaBytes, notice }: BootOptions): BootFiles {
  const capacityBytes = S390X.kargsBytes;
  const defaultArea = areaOf(defaultKargs, capacityBytes, '\0', '\0');
  const kernel = kernelOf('s390x', notice);
  const initrd = Buffer.alloc(1024);
  const cdboot = Buffer.concat([kernel, initrd, Buffer.alloc(areaBytes)]);
  defaultArea.copy(cdboot, S390X.kargs);
  return {
    files: [
      { path: CDBOOT, bytes: cdboot },
      { path: 'generic.ins', bytes: Buffer.from(`* ${notice}`) },
      { path: `${PXEBOOT}/kernel.img`, bytes: kernel },
      ...placeholders(['initrd.img', 'rootfs.img'], notice),
    ],
    areas: [{ path: CDBOOT, offset: S390X.kargs }],
    capacityBytes,
    pad: '\0',
    end: '\0',
    defaultArea,
    inBootImage: { path: CDBOOT, offset: kernel.length + initrd.length, length: areaBytes },
  };
}

function placeholders(names: readonly string[], notice: string) {
  return names.map((name) => ({
    path: `${PXEBOOT}/${name}`,
    bytes: Buffer.from(`Not a ${name}. ${notice}`),
  }));
}

/** Makes what boots an image of an architecture, as CoreOS lays it out. Throws KARGS_AREA_FULL. */
export function bootFiles(options: BootOptions): BootFiles {
  const { architecture, kargsCapacity, defaultKargs, notice } = options;
  if (architecture === 's390x') return s390xFiles(options);
  const defaultArea = areaOf(defaultKargs, kargsCapacity, '#', '\n');
  const grub = bootConfig(
    architecture === 'ppc64le' ? GRUB_PPC64LE : GRUB,
    notice,
    'linux /images/pxeboot/vmlinuz ',
    defaultArea,
  );
  const isolinux = bootConfig(
    ISOLINUX,
    notice,
    'kernel /images/pxeboot/vmlinuz\nappend initrd=/images/pxeboot/initrd.img ',
    defaultArea,
  );
  const configs = architecture === 'x86_64' ? [grub, isolinux] : [grub];
  return {
    files: [
      ...configs.map(({ path, bytes }) => ({ path, bytes })),
      { path: `${PXEBOOT}/vmlinuz`, bytes: kernelOf(architecture, notice) },
      ...placeholders(['initrd.img', 'rootfs.img'], notice),
    ],
    areas: configs.map(({ path, offset }) => ({ path, offset })),
    capacityBytes: kargsCapacity,
    pad: '#',
    end: '\n',
    defaultArea,
  };
}
