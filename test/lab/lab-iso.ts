import { execFileSync } from 'node:child_process';
import { linkSync, mkdirSync, readFileSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { open } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { encodeLegacyHeaders } from '../../src/boot/iso/legacy-headers.ts';
import { readIso9660 } from '../../src/formats/iso9660.ts';
import { SYSTEM_AREA_BYTES } from '../../src/formats/iso9660-layout.ts';

/**
 * How the lab's image says where its embed areas are: `json` as since 2022-12, in two files; `headers` as in 2021, in
 * the system area, and nothing about what else the image can do: its network comes by kernel arguments.
 */
export type LabGeneration = 'json' | 'headers';

/** The label of the medium; the live system finds its root by it. */
const LABEL = 'edgefab-lab';
const AREA_BYTES = 262_144;
const KARGS_BYTES = 1139;
/** As on CoreOS, nothing about a console: without more arguments nothing is seen on a serial port. */
const DEFAULT_KARGS = `coreos.liveiso=${LABEL} ignition.firstboot ignition.platform.id=metal`;
const IGNITION = 'images/ignition.img';
const CMDLINE = 'cmdline.txt';
const ESP = 'images/efiboot.img';
const ESP_BYTES = 10 * 1024 * 1024;
const KERNEL_FILES = ['vmlinuz', 'initrd.img', 'rootfs.img'] as const;
const SYSLINUX = ['/usr/lib/ISOLINUX/isolinux.bin', '/usr/lib/syslinux/modules/bios/ldlinux.c32'] as const;

interface BootMenu {
  readonly path: string;
  readonly text: string;
  /** Where the kernel arguments begin in it. */
  readonly offset: number;
}

const AREA_MARK = '@KARGS@';

/** A boot loader's settings with the area of the kernel arguments filled in. */
function bootMenu(path: string, template: string): BootMenu {
  const area = `${DEFAULT_KARGS}\n`.padEnd(KARGS_BYTES, '#');
  return { path, text: template.replace(AREA_MARK, area), offset: template.indexOf(AREA_MARK) };
}

const MENUS: readonly BootMenu[] = [
  bootMenu(
    'isolinux/isolinux.cfg',
    `serial 0
default live
prompt 0
timeout 1
label live
  kernel /images/pxeboot/vmlinuz
  append initrd=/images/pxeboot/initrd.img,/${IGNITION} ${AREA_MARK}
`,
  ),
  bootMenu(
    'EFI/lab/grub.cfg',
    `set timeout=0
menuentry live {
  linux /images/pxeboot/vmlinuz ${AREA_MARK}
  initrd /images/pxeboot/initrd.img /${IGNITION}
}
`,
  ),
];

function json(value: unknown): string {
  return `${JSON.stringify(value, undefined, 2)}\n`;
}

function describingFiles(generation: LabGeneration): Record<string, string> {
  if (generation === 'headers') return { [CMDLINE]: `${DEFAULT_KARGS}\n`.padEnd(KARGS_BYTES, '#') };
  const features = json({
    'installer-config': true,
    'installer-config-directives': { 'save-partlabel': true },
    'live-initrd-network': true,
  });
  const files = MENUS.map(({ path, offset }) => ({ path, offset, pad: '#', end: '\n' }));
  return {
    'coreos/features.json': features,
    'coreos/igninfo.json': json({ file: IGNITION }),
    'coreos/kargs.json': json({ default: DEFAULT_KARGS, files, size: KARGS_BYTES }),
  };
}

/** Makes the EFI system partition: a GRUB that looks for its settings on the medium. */
function makeEsp(path: string): void {
  const folder = dirname(path);
  const found = join(folder, 'grub-stage1.cfg');
  const loader = join(folder, 'bootx64.efi');
  writeFileSync(
    found,
    'search --no-floppy --set=root --file /EFI/lab/grub.cfg\nconfigfile /EFI/lab/grub.cfg\n',
  );
  const modules = 'iso9660 part_gpt part_msdos fat search search_fs_file linux normal configfile echo test';
  execFileSync(
    'grub-mkstandalone',
    [
      '--format=x86_64-efi',
      `--output=${loader}`,
      `--install-modules=${modules}`,
      `--modules=${modules}`,
      '--locales=',
      '--fonts=',
      '--themes=',
      `boot/grub/grub.cfg=${found}`,
    ],
    { stdio: 'pipe' },
  );
  writeFileSync(path, '');
  truncateSync(path, ESP_BYTES);
  const mtools = (program: string, ...args: string[]): void =>
    void execFileSync(program, ['-i', path, ...args], { stdio: 'pipe' });
  mtools('mformat', '::');
  mtools('mmd', '::/EFI', '::/EFI/BOOT');
  mtools('mcopy', loader, '::/EFI/BOOT/BOOTX64.EFI');
  rmSync(found);
  rmSync(loader);
}

/** Writes the headers of 2021 to the system area. */
async function writeHeaders(iso: string): Promise<void> {
  const file = await open(iso, 'r+');
  try {
    const { size } = await file.stat();
    const image = await readIso9660(async (offset, length) => {
      const { buffer, bytesRead } = await file.read(Buffer.alloc(length), 0, length, offset);
      return buffer.subarray(0, bytesRead);
    }, size);
    const at = async (path: string): Promise<number> => {
      const found = await image.findFile(path);
      if (found === undefined) throw new Error(`${iso} has no ${path}`);
      return found.offset;
    };
    const headers = encodeLegacyHeaders(
      { offset: await at(IGNITION), sizeBytes: AREA_BYTES },
      {
        sizeBytes: KARGS_BYTES,
        defaultOffset: await at(CMDLINE),
        areaOffsets: await Promise.all(MENUS.map(async ({ path, offset }) => (await at(path)) + offset)),
      },
    );
    await file.write(headers, 0, headers.length, SYSTEM_AREA_BYTES - headers.length);
  } finally {
    await file.close();
  }
}

/** Puts a live system's kernel, initramfs and root into an image that starts by BIOS and UEFI, from a stick too. */
export async function assembleLabIso(
  system: string,
  folder: string,
  generation: LabGeneration,
): Promise<string> {
  const iso = join(folder, 'live.iso');
  const tree = join(folder, 'tree');
  const put = (path: string, content: string | Uint8Array): void => {
    mkdirSync(dirname(join(tree, path)), { recursive: true });
    writeFileSync(join(tree, path), content);
  };
  put(IGNITION, new Uint8Array(AREA_BYTES));
  for (const { path, text } of MENUS) put(path, text);
  for (const [path, text] of Object.entries(describingFiles(generation))) put(path, text);
  for (const file of SYSLINUX) put(`isolinux/${file.slice(file.lastIndexOf('/') + 1)}`, readFileSync(file));
  mkdirSync(join(tree, 'images/pxeboot'), { recursive: true });
  for (const name of KERNEL_FILES) linkSync(join(system, name), join(tree, 'images/pxeboot', name));
  makeEsp(join(tree, ESP));
  const cdBoot = ['-no-emul-boot', '-boot-load-size', '4', '-boot-info-table'];
  execFileSync(
    'genisoimage',
    [
      ...['-quiet', '-o', iso, '-V', LABEL, '-rational-rock', '-J', '-joliet-long'],
      ...['-b', 'isolinux/isolinux.bin', '-c', 'isolinux/boot.cat', ...cdBoot],
      ...['-eltorito-alt-boot', '-efi-boot', ESP, '-no-emul-boot', tree],
    ],
    { stdio: 'pipe' },
  );
  execFileSync('isohybrid', ['--uefi', iso], { stdio: 'pipe' });
  if (generation === 'headers') await writeHeaders(iso);
  rmSync(tree, { recursive: true });
  return iso;
}
