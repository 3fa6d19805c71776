import { randomBytes } from 'node:crypto';
import { copyFileSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { buildSiteIso, type SiteIsoOptions } from '../../src/boot/iso/build-site-iso.ts';
import { findPieces } from '../../src/boot/iso/extract-iso.ts';
import { NETWORK_FOLDER } from '../../src/boot/iso/initrd.ts';
import { inspectIso } from '../../src/boot/iso/inspect-iso.ts';
import type { IsoImage } from '../../src/boot/iso/iso-image.ts';
import type { KargsEdit } from '../../src/boot/iso/kargs-text.ts';
import { openImage } from '../../src/boot/iso/open-image.ts';
import { readIsoIgnition, readIsoInitrd, readIsoKargs } from '../../src/boot/iso/read-iso.ts';
import { resetIso } from '../../src/boot/iso/reset-iso.ts';
import { pieceChunks } from '../../src/boot/iso/write-piece.ts';
import { EdgefabError } from '../../src/errors.ts';
import { coreosInstaller } from './coreos-installer.ts';

/**
 * What became of an operation: `ok`, what one wrote the other read, the same bytes where they must be the same; `no`,
 * the one that acts refused; `other`, the other one refused to read or to prepare it; `-`, there is nothing to do;
 * anything else is a fault.
 */
export type Outcome = 'ok' | 'no' | 'other' | '-' | `DIFFERS: ${string}`;
type Side = 'ours' | 'theirs';

/** Two outcomes: edgefab writes or asks and coreos-installer reads, and the other way round. */
interface Cell {
  readonly ours: Outcome;
  readonly theirs: Outcome;
}

interface Bench {
  /** The image as made; never written. */
  readonly source: string;
  /** Gives a free name. */
  readonly free: (name: string) => string;
}

type Operation = (bench: Bench) => Promise<Cell>;

const host = { randomBytes: (size: number): Uint8Array => randomBytes(size) };
const CONFIG = Buffer.from('{"ignition":{"version":"3.2.0"},"storage":{"files":[]}}\n');
const KEYFILES = [
  { name: 'eno1.nmconnection', bytes: Buffer.from('[connection]\nid=eno1\ntype=ethernet\n') },
  { name: 'eno2.nmconnection', bytes: Buffer.from('[connection]\nid=eno2\ntype=ethernet\n') },
];

function sideOf(error: unknown): Side | undefined {
  if (error instanceof EdgefabError) return 'ours';
  return error instanceof Error && error.message.startsWith('coreos-installer') ? 'theirs' : undefined;
}

/** Runs what one side does; `false` and text say what differs. */
async function outcome(acting: Side, work: () => Promise<boolean | string>): Promise<Outcome> {
  try {
    const found = await work();
    if (found === true) return 'ok';
    return `DIFFERS: ${found === false ? 'not what was written' : found}`;
  } catch (error) {
    const refusing = sideOf(error);
    if (refusing === undefined) throw error;
    return refusing === acting ? 'no' : 'other';
  }
}

async function cell(
  ours: () => Promise<boolean | string>,
  theirs: () => Promise<boolean | string>,
): Promise<Cell> {
  return { ours: await outcome('ours', ours), theirs: await outcome('theirs', theirs) };
}

const sameFile = (left: string, right: string): boolean => readFileSync(left).equals(readFileSync(right));

async function build(
  { source, free }: Bench,
  content: Omit<SiteIsoOptions, 'source' | 'target'>,
): Promise<string> {
  const target = free('ours');
  rmSync(target, { force: true });
  await buildSiteIso({ source, target, ...content }, host);
  return target;
}

/** Runs a command of coreos-installer on a copy. */
function run({ source, free }: Bench, args: readonly string[], input?: Uint8Array, from = source): string {
  const target = free('theirs');
  copyFileSync(from, target);
  coreosInstaller([...args, target], input);
  return target;
}

function editFlags(change: KargsEdit): string[] {
  return [
    ...(change.append ?? []).map((one) => `--append=${one}`),
    ...(change.delete ?? []).map((one) => `--delete=${one}`),
    ...(change.replace ?? []).map((one) => `--replace=${one}`),
  ];
}

function kargsEdit(change: KargsEdit): Operation {
  return (bench) =>
    cell(
      async () => {
        const target = await build(bench, { kargs: change });
        const shown = coreosInstaller(['iso', 'kargs', 'show', target]).toString().trim();
        return shown === (await readIsoKargs(await inspectIso(target))).current;
      },
      async () => {
        const target = run(bench, ['iso', 'kargs', 'modify', ...editFlags(change)]);
        const shown = coreosInstaller(['iso', 'kargs', 'show', target]).toString().trim();
        if (shown !== (await readIsoKargs(await inspectIso(target))).current) return false;
        return sameFile(target, bench.free('ours')) || 'other bytes';
      },
    );
}

function keyfileFlags({ free }: Bench): string[] {
  const folder = free('keyfiles');
  mkdirSync(folder, { recursive: true });
  return KEYFILES.flatMap(({ name, bytes }) => {
    writeFileSync(join(folder, name), bytes);
    return ['-k', join(folder, name)];
  });
}

async function reset(path: string, source: string): Promise<boolean> {
  await resetIso({ source: path }, host);
  return sameFile(path, source);
}

/** Both are to refuse an image once it was ruined; `ruin` says false where there is nothing to ruin. */
async function bothRefuse(
  { source, free }: Bench,
  ruin: (bytes: Buffer, iso: IsoImage) => boolean,
  ours: (path: string) => Promise<unknown>,
): Promise<Cell> {
  const bytes = readFileSync(source);
  if (!ruin(bytes, await inspectIso(source))) return { ours: '-', theirs: '-' };
  const path = free('ruined');
  writeFileSync(path, bytes);
  return await cell(
    async () => {
      await ours(path);
      return 'read';
    },
    async () => {
      coreosInstaller(['dev', 'show', 'iso', '--ignition', path]);
      return 'read';
    },
  );
}

/** What is done with every image, in the order of the columns. */
export const MATRIX_OPERATIONS: Readonly<Record<string, Operation>> = {
  areas: (bench) => {
    const compare = async (): Promise<boolean> => {
      const show = (what: string) =>
        JSON.parse(coreosInstaller(['dev', 'show', 'iso', what, bench.source]).toString());
      const [ignition, theirs] = [show('--ignition'), show('--kargs')];
      const iso = await inspectIso(bench.source);
      const offsets = (areas: readonly { offset: number }[] = []) => areas.map(({ offset }) => offset).sort();
      return (
        ignition.offset === iso.ignition.offset &&
        ignition.length === iso.ignition.sizeBytes &&
        theirs?.length === iso.kargs?.capacityBytes &&
        theirs?.default === iso.kargs?.default &&
        String(offsets(theirs?.kargs)) === String(offsets(iso.kargs?.areas))
      );
    };
    return cell(compare, compare);
  },
  'ignition embed': (bench) =>
    cell(
      async () =>
        coreosInstaller(['iso', 'ignition', 'show', await build(bench, { ignition: CONFIG })]).equals(CONFIG),
      async () => {
        const target = run(bench, ['iso', 'ignition', 'embed'], CONFIG);
        return CONFIG.equals((await readIsoIgnition(await inspectIso(target))) ?? new Uint8Array());
      },
    ),
  'ignition remove': (bench) =>
    cell(
      async () => await reset(run(bench, ['iso', 'ignition', 'embed'], CONFIG), bench.source),
      async () => {
        const target = run(
          bench,
          ['iso', 'ignition', 'remove'],
          undefined,
          await build(bench, { ignition: CONFIG }),
        );
        return (
          sameFile(target, bench.source) && (await readIsoIgnition(await inspectIso(target))) === undefined
        );
      },
    ),
  'kargs append': kargsEdit({ append: ['console=ttyS0,115200n8', 'ip=dhcp'] }),
  'kargs delete': kargsEdit({ delete: ['ignition.firstboot'] }),
  'kargs replace': kargsEdit({ replace: ['ignition.platform.id=metal=qemu'] }),
  'kargs reset': (bench) =>
    cell(
      async () => await reset(run(bench, ['iso', 'kargs', 'modify', '--append=foo=bar']), bench.source),
      async () => {
        const ours = await build(bench, { kargs: { append: ['foo=bar'] } });
        return sameFile(run(bench, ['iso', 'kargs', 'reset'], undefined, ours), bench.source);
      },
    ),
  'kargs too long': (bench) => {
    const argument = `too.long=${'x'.repeat(2100)}`;
    return cell(
      async () => `written to ${await build(bench, { kargs: { append: [argument] } })}`,
      async () => `written to ${run(bench, ['iso', 'kargs', 'modify', `--append=${argument}`])}`,
    );
  },
  'network embed': (bench) =>
    cell(
      async () => {
        const target = await build(bench, { networkFiles: KEYFILES });
        const folder = bench.free('extracted');
        coreosInstaller(['iso', 'network', 'extract', '-C', folder, target]);
        return KEYFILES.every(({ name, bytes }) => readFileSync(join(folder, name)).equals(bytes));
      },
      async () => {
        const read = await readIsoInitrd(
          await inspectIso(run(bench, ['iso', 'network', 'embed', ...keyfileFlags(bench)])),
        );
        return (
          read.size === KEYFILES.length &&
          KEYFILES.every(({ name, bytes }) =>
            bytes.equals(read.get(`${NETWORK_FOLDER}/${name}`) ?? Buffer.alloc(0)),
          )
        );
      },
    ),
  'network remove': (bench) =>
    cell(
      async () => await reset(run(bench, ['iso', 'network', 'embed', ...keyfileFlags(bench)]), bench.source),
      async () => {
        const ours = await build(bench, { networkFiles: KEYFILES });
        return sameFile(run(bench, ['iso', 'network', 'remove'], undefined, ours), bench.source);
      },
    ),
  customize: async (bench) => ({
    ours: '-',
    theirs: await outcome('theirs', async () => {
      const config = bench.free('live.ign');
      writeFileSync(config, CONFIG);
      const flags = [
        '--live-ignition',
        config,
        ...keyfileFlags(bench).map((flag) => flag.replace(/^-k$/, '--network-keyfile')),
      ];
      const target = run(bench, ['iso', 'customize', ...flags]);
      const read = await readIsoInitrd(await inspectIso(target));
      const shown = coreosInstaller(['iso', 'ignition', 'show', target]);
      if (!shown.equals(read.get('config.ign') ?? Buffer.alloc(0)) || read.size < 2) return false;
      return await reset(target, bench.source);
    }),
  }),
  reset: (bench) =>
    cell(
      async () => {
        const embedded = run(bench, ['iso', 'ignition', 'embed'], CONFIG);
        const { kargs } = await inspectIso(bench.source);
        if (kargs !== undefined) coreosInstaller(['iso', 'kargs', 'modify', '--append=foo=bar', embedded]);
        return await reset(embedded, bench.source);
      },
      async () => {
        const { kargs } = await inspectIso(bench.source);
        const edit = kargs === undefined ? {} : { kargs: { append: ['foo=bar'] } };
        const ours = await build(bench, { ignition: CONFIG, ...edit });
        return sameFile(run(bench, ['iso', 'reset'], undefined, ours), bench.source);
      },
    ),
  'extract pxe': (bench) => {
    const compare = async (): Promise<boolean> => {
      const folder = bench.free('pxe');
      rmSync(folder, { recursive: true, force: true });
      coreosInstaller(['iso', 'extract', 'pxe', '-o', folder, bench.source]);
      await using image = await openImage(bench.source);
      const pieces = await findPieces(image, 'pxe');
      const stem = basename(bench.source, '.iso');
      for (const piece of pieces) {
        const chunks: Uint8Array[] = [];
        for await (const bytes of pieceChunks(image, piece)) chunks.push(bytes);
        if (!readFileSync(join(folder, `${stem}-${piece.name}`)).equals(Buffer.concat(chunks))) return false;
      }
      return pieces.length === readdirSync(folder).length;
    };
    return cell(compare, compare);
  },
  'corrupt area': (bench) =>
    bothRefuse(
      bench,
      (bytes, { ignition }) => {
        bytes.write('this is no archive', ignition.offset, 'latin1');
        return true;
      },
      async (path) => await readIsoInitrd(await inspectIso(path)),
    ),
  'corrupt kargs': (bench) =>
    bothRefuse(
      bench,
      (bytes, { kargs }) => {
        const second = kargs?.areas[1];
        if (second !== undefined) bytes.write('others', second.offset, 'latin1');
        return second !== undefined;
      },
      async (path) => await readIsoKargs(await inspectIso(path)),
    ),
};

/** Does everything with one image, in a folder, and gives the line of the table. */
export async function matrixLine(name: string, image: Uint8Array, folder: string): Promise<string> {
  const cells: string[] = [];
  for (const [operation, operate] of Object.entries(MATRIX_OPERATIONS)) {
    const own = join(folder, operation.replaceAll(' ', '-'));
    mkdirSync(own, { recursive: true });
    const bench = { source: join(own, 'live.iso'), free: (file: string) => join(own, file) };
    writeFileSync(bench.source, image);
    const { ours, theirs } = await operate(bench);
    if (!readFileSync(bench.source).equals(image)) throw new Error(`${operation} wrote to its source`);
    cells.push(`${ours}/${theirs}`);
    rmSync(own, { recursive: true });
  }
  return matrixRow(name, cells);
}

const NAME_WIDTH = 36;

/** Lays out one row of the table. */
export function matrixRow(name: string, cells: readonly string[]): string {
  const widths = Object.keys(MATRIX_OPERATIONS).map((operation) => operation.length);
  return [name.padEnd(NAME_WIDTH), ...cells.map((text, index) => text.padEnd(widths[index] ?? 0))]
    .join('  ')
    .trimEnd();
}
