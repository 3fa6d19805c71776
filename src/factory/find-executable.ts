import { open } from 'node:fs/promises';
import { EdgefabError } from '../errors.ts';
import { builtExecutable, runningExecutable } from '../packaged.ts';

/** The first 20 bytes of an ELF file (System V ABI, ELF header): class and byte order in `e_ident`, `e_machine`. */
const ELF = { magic: 0x7f454c46, machineAt: 18, sizeBytes: 20 } as const;
/** `e_machine` of the machines Node is built for, by the names releases use. */
const MACHINE: Readonly<Record<string, number>> = { x86_64: 62, aarch64: 183 };
const NODE_NAME: Readonly<Record<string, string>> = { x86_64: 'x64', aarch64: 'arm64' };

/**
 * Finds the single executable for machines of an architecture (x86_64, aarch64, …): the one named, the one that runs,
 * or the one a build left in this package; undefined when there is none. Throws EXECUTABLE_UNFIT for one that is
 * named and does not run there.
 */
export async function findExecutable(named: string | undefined, arch: string): Promise<string | undefined> {
  const wanted = MACHINE[arch];
  if (named !== undefined) {
    const machine = await machineOf(named);
    if (machine !== undefined && machine === wanted) return named;
    throw new EdgefabError(
      `${named} cannot be the program on the cache disk: ${describe(machine)}, expected an executable for Linux on ${arch}`,
      {
        code: 'EXECUTABLE_UNFIT',
        suggestions: [
          `Name the file that npm run build:exe${arch === 'x86_64' ? '' : ` -- --arch ${NODE_NAME[arch] ?? arch}`} made, or leave --executable out`,
        ],
        place: { file: named },
      },
    );
  }
  if (wanted === undefined) return undefined;
  for (const file of [runningExecutable, builtExecutable(NODE_NAME[arch] ?? arch)]) {
    if (file !== undefined && (await machineOf(file)) === wanted) return file;
  }
  return undefined;
}

function describe(machine: number | undefined): string {
  if (machine === undefined) return 'it cannot be read, or is no 64-bit ELF file';
  const known = Object.entries(MACHINE).find(([, number]) => number === machine)?.[0];
  return `it is for ${known ?? `ELF machine ${machine}`}`;
}

/** The `e_machine` of a little-endian 64-bit ELF file; undefined for anything else. */
async function machineOf(path: string): Promise<number | undefined> {
  const file = await open(path, 'r').catch(() => undefined);
  if (file === undefined) return undefined;
  try {
    const header = Buffer.alloc(ELF.sizeBytes);
    const { bytesRead } = await file.read(header, 0, ELF.sizeBytes, 0);
    const is64BitLittleEndian = header[4] === 2 && header[5] === 1;
    if (bytesRead < ELF.sizeBytes || header.readUInt32BE(0) !== ELF.magic || !is64BitLittleEndian)
      return undefined;
    return header.readUInt16LE(ELF.machineAt);
  } catch {
    // A folder opens and cannot be read.
    return undefined;
  } finally {
    await file.close();
  }
}
