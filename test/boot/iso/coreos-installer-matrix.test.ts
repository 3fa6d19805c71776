import { spawnSync } from 'node:child_process';
import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { DEMO_ISO_ARCHITECTURES } from '../../../src/factory/demo/boot-files.ts';
import { DEMO_ISO_GENERATIONS, encodeCoreosIso } from '../../../src/factory/demo/coreos-iso.ts';
import { coreosInstallerSkip, hasCoreosInstaller } from '../../support/coreos-installer.ts';
import { MATRIX_OPERATIONS, matrixLine, matrixRow } from '../../support/installer-matrix.ts';
import { tempFolder } from '../../support/temp-folder.ts';

const GOLDEN = 'test/boot/iso/coreos-installer-matrix.txt';
const HEAD = `edgefab and coreos-installer 0.26.0 on the same images. Each cell: edgefab writes and coreos-installer reads / the
other way round. ok: read as written, and the same bytes where both write. no: the one that acts refuses. other: the
other one refuses to read it or to prepare it. -: nothing to do.

`;
const heading = matrixRow('image', Object.keys(MATRIX_OPERATIONS));

const made = DEMO_ISO_ARCHITECTURES.flatMap((architecture) =>
  DEMO_ISO_GENERATIONS.filter((name) => architecture !== 's390x' || name.startsWith('igninfo')).map(
    (generation) => ({ name: `made ${generation} ${architecture}`, generation, architecture }),
  ),
);

const folder = join(process.env.EDGEFAB_FIXTURES ?? '/nonexistent', 'iso');
const real = existsSync(folder)
  ? readdirSync(folder).filter((name) => /^embed-areas-.*\.iso\.xz$/.test(name))
  : [];
const realSkip = real.length > 0 ? '' : ' (SKIPPED: EDGEFAB_FIXTURES is not set)';

function goldenLines(): string[] {
  const text = existsSync(GOLDEN) ? readFileSync(GOLDEN, 'utf8') : '';
  return text.split('\n').filter((line) => /^(?:made|real) /.test(line));
}

/** Set to write the table anew; lines of images that are not here stay as they are. */
const update = process.env.EDGEFAB_UPDATE_GOLDEN === '1';
const found: string[] = [];

function check(line: string): void {
  found.push(line);
  expect(line).not.toContain('DIFFERS');
  if (!update) expect(goldenLines()).toContain(line);
}

afterAll(() => {
  if (!update || found.length === 0) return;
  const nameOf = (line: string) => line.split(/ {2,}/)[0];
  const others = goldenLines().filter((line) => !found.some((one) => nameOf(one) === nameOf(line)));
  writeFileSync(GOLDEN, `${HEAD}${[heading, ...[...found, ...others].sort()].join('\n')}\n`);
});

describe.skipIf(!hasCoreosInstaller)(
  `coreos-installer and edgefab on made images${coreosInstallerSkip}`,
  () => {
    it.each(made)(
      '$name',
      async ({ name, generation, architecture }) => {
        check(await matrixLine(name, encodeCoreosIso({ generation, architecture }), tempFolder()));
      },
      60_000,
    );
  },
);

describe.skipIf(!hasCoreosInstaller || real.length === 0)(
  `coreos-installer and edgefab on real images${coreosInstallerSkip}${realSkip}`,
  () => {
    it.each(real)(
      '%s',
      async (file) => {
        const { stdout, status } = spawnSync('xz', ['-dc', join(folder, file)], {
          maxBuffer: 16 * 1024 * 1024,
        });
        expect(status).toBe(0);
        const name = `real ${file.replace(/^embed-areas-|\.iso\.xz$/g, '')}`;
        check(await matrixLine(name, stdout, tempFolder()));
      },
      60_000,
    );
  },
);

it('the table has a line for every image that is made here', () => {
  const names = goldenLines().map((line) => line.split(/ {2,}/)[0]);
  expect(names).toEqual(expect.arrayContaining(made.map(({ name }) => name)));
});
