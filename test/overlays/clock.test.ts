import { spawnSync } from 'node:child_process';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { tempFolder } from '../support/temp-folder.ts';

const BUILD = 1_795_255_200; // 2026-11-21T10:00:00Z

/** Runs the script with a `date` that says what it is told, and sets a file instead of the clock. */
function floor(now: number, buildTime: string, canSet = true) {
  const folder = tempFolder();
  const set = join(folder, 'set');
  writeFileSync(
    join(folder, 'date'),
    `#!/bin/bash
case "$*" in
  +%s) echo ${now} ;;
  '-u -s '*) ${canSet ? `echo "$3" >${set}` : 'exit 1'} ;;
  *) exec ${spawnSync('which', ['date'], { encoding: 'utf8' }).stdout.trim()} "$@" ;;
esac
`,
    { mode: 0o755 },
  );
  const { status, stdout } = spawnSync('bash', ['overlays/scripts/edgefab-clock.sh'], {
    encoding: 'utf8',
    env: {
      PATH: `${folder}:${process.env.PATH}`,
      EDGEFAB_RUN: join(folder, 'run'),
      EDGEFAB_BUILD_TIME: buildTime,
    },
  });
  const line = readFileSync(join(folder, 'run/clock.status'), 'utf8');
  expect(stdout).toBe(`edgefab: ${line}`);
  return { status, line, set: existsSync(set) ? readFileSync(set, 'utf8').trim() : undefined };
}

describe('edgefab-clock.sh (date is a stand-in)', () => {
  test.each([
    [
      'sets a clock that is years back',
      0,
      0,
      `@${BUILD}`,
      /^set - the clock said 1970-01-01T00:00:00Z.*now 2026-11-21T10:00:00Z/,
    ],
    ['sets a clock that is a second back', BUILD - 1, 0, `@${BUILD}`, /^set - /],
    ['keeps a clock at the time of the build', BUILD, 0, undefined, /^kept - /],
    ['keeps a clock that is later', BUILD + 86_400 * 3650, 0, undefined, /^kept - /],
  ])('%s', (_name, now, status, set, line) => {
    expect(floor(now, String(BUILD))).toEqual({ status, set, line: expect.stringMatching(line) });
  });
  test('says what to do when the clock cannot be set', () => {
    expect(floor(0, String(BUILD), false)).toMatchObject({
      status: 1,
      line: expect.stringMatching(/^failed - .*set the date by hand/),
    });
  });
  test.each(['', 'soon', '-1', '1; reboot', '1'.repeat(20)])(
    'leaves the clock alone at a build time of "%s"',
    (time) => {
      expect(floor(0, time)).toMatchObject({ status: 2, set: undefined });
    },
  );
});
