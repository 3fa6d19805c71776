import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { haveTools } from '../support/tools.ts';
import { keptPiece, keyOf, LAB_CACHE } from './kept-piece.ts';
import { assembleLabIso, type LabGeneration } from './lab-iso.ts';

const PROGRAMS = [
  'mmdebstrap',
  'mksquashfs',
  'depmod',
  'genisoimage',
  'isohybrid',
  'grub-mkstandalone',
  'grub-mkimage',
  'mformat',
  'qemu-system-x86_64',
  'qemu-img',
];

/** GRUB for BIOS, of Debian's grub-pc-bin: an installed disk starts by it. */
const BIOS_GRUB = '/usr/lib/grub/i386-pc/boot.img';

/** Whether the lab can be built and booted here; else why not, for a title. */
export const hasLab =
  process.arch === 'x64' && process.getuid?.() === 0 && haveTools(...PROGRAMS) && existsSync(BIOS_GRUB);
export const whyNoLab = hasLab ? '' : ` (SKIPPED: needs root on x86_64, ${PROGRAMS.join(', ')}, grub-pc-bin)`;

const here = (name: string): string => fileURLToPath(new URL(name, import.meta.url));

/**
 * Builds by a script of this folder, with the least share of the processors: others run their tests meanwhile. What it
 * mounts is in a namespace of its own, and gone with it: whoever clears up after a script that was killed must not find
 * this machine's devices in a folder that is to be removed.
 */
function build(script: string, ...args: readonly string[]): void {
  const command = [
    '-n',
    '15',
    'unshare',
    '--mount',
    '--propagation',
    'private',
    'bash',
    here(script),
    ...args,
  ];
  const { status, stdout, stderr } = spawnSync('nice', command, {
    encoding: 'utf8',
    env: { PATH: process.env.PATH ?? '', HOME: '/root' },
  });
  if (status !== 0) throw new Error(`${script} ended with ${status}: ${stdout}${stderr}`);
}

const SYSTEM_INPUTS = [
  'build-system.sh',
  'prune-root.sh',
  'build-disk-boot.sh',
  'disk-grub.cfg',
  'dracut',
  'root',
];

/** Gives the path of the lab's live image, built from Debian packages where it is not there yet. */
export async function labIso(generation: LabGeneration = 'json'): Promise<string> {
  const baseKey = keyOf([here('build-base.sh'), here('packages.txt'), here('modules.txt')]);
  const base = await keptPiece('base', baseKey, (folder) =>
    build('build-base.sh', folder, join(LAB_CACHE, 'debs')),
  );
  const systemKey = keyOf([...SYSTEM_INPUTS.map(here), baseKey]);
  const system = await keptPiece('system', systemKey, (folder) => build('build-system.sh', base, folder));
  const isoKey = keyOf([here('lab-iso.ts'), generation, systemKey]);
  const iso = await keptPiece('iso', isoKey, async (folder) => {
    await assembleLabIso(system, folder, generation);
  });
  return join(iso, 'live.iso');
}
