import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { type StandIns, standIns } from '../support/stand-ins.ts';
import { tempFolder } from '../support/temp-folder.ts';

interface Machine {
  readonly root: string;
  readonly programs: StandIns;
}

function machine(files: Readonly<Record<string, string>> = {}): Machine {
  const root = tempFolder();
  mkdirSync(join(root, 'run'));
  for (const [name, text] of Object.entries(files)) writeFileSync(join(root, 'run', name), text);
  const programs = standIns();
  programs.add('agetty');
  return { root, programs };
}

const issue = ({ root }: Machine): string => join(root, 'etc/issue.d/60-edgefab.issue');

/** Runs the script; the lines above the login prompt. */
function show(on: Machine, settings: Record<string, string> = {}): string[] {
  const { status, stderr } = spawnSync('bash', ['overlays/scripts/edgefab-status.sh'], {
    encoding: 'utf8',
    env: {
      PATH: on.programs.path,
      EDGEFAB_SITE: 'bip',
      EDGEFAB_BUILD_ID: 'b0a1',
      EDGEFAB_RUN: join(on.root, 'run'),
      EDGEFAB_ETC: join(on.root, 'etc'),
      EDGEFAB_INSTALL_DONE: join(on.root, 'done'),
      ...settings,
    },
  });
  expect([status, stderr]).toEqual([0, '']);
  const text = readFileSync(issue(on), 'utf8');
  expect(readFileSync(join(on.root, 'etc/motd.d/60-edgefab'), 'utf8')).toBe(text);
  return text.trimEnd().split('\n');
}
const next = (on: Machine, settings?: Record<string, string>): string => show(on, settings).at(-1) ?? '';

describe('edgefab-status.sh', () => {
  test('at the very start', () => {
    expect(show(machine())).toEqual([
      'edgefab: site bip, build b0a1: installing (live system)',
      '  cache: none is open',
      '  next: nothing: leave boot stick, cache disk, power and network cable plugged in; the machine restarts by itself',
    ]);
  });

  test('where images are loaded nobody misses an open cache', () => {
    const on = machine();
    mkdirSync(join(on.root, 'etc/edgefab'), { recursive: true });
    writeFileSync(join(on.root, 'etc/edgefab/preload.env'), '');
    expect(show(on).slice(1)).toEqual([expect.stringMatching(/^ {2}next: nothing: leave boot stick/)]);
  });

  test('with what the parts say of themselves', () => {
    const on = machine({
      'cache.source': '/dev/sdb1\n',
      'registry.status': 'ready - serves on localhost:22626\n',
      'preload.status': 'loaded quay.io/a -\npresent quay.io/b -\n',
      'reinstall-guard.status.new': 'half',
    });
    expect(show(on).slice(1, -1)).toEqual([
      '  cache: /dev/sdb1',
      '  preload: done - all 2 images are loaded',
      '  registry: ready - serves on localhost:22626',
    ]);
  });

  test('a part that stopped is marked, and comes before all other advice', () => {
    const on = machine({
      'reinstall-guard.status': 'stopped - STOPPED: /dev/sda holds the install\n',
      'preload.status': 'loaded quay.io/a -\nfailed quay.io/b disk error\n',
    });
    writeFileSync(join(on.root, 'done'), '');
    expect(show(on).slice(2)).toEqual([
      '! preload: stopped - 1 of 2 images could not be loaded, they come from the network',
      '! reinstall-guard: stopped - STOPPED: /dev/sda holds the install',
      '  next: see to the lines with ! above; more in: journalctl -b -u "edgefab-*"',
    ]);
  });

  test('a registry that rests because the cache was given back is no fault', () => {
    const on = machine({
      'cache.released': '',
      'registry.status': 'stopped - the registry does not run\n',
      'release-cache.status': 'released - nothing holds /dev/sda any more\n',
    });
    expect(show(on).slice(1, -1)).toEqual([
      '  cache: given back',
      '  release-cache: released - nothing holds /dev/sda any more',
    ]);
  });

  test.each([
    ['live', 'the disk is written', {}, /unplug the boot stick now/, true],
    [
      'installed',
      'the copy runs',
      { 'keep-cache.status': 'copying - 3 of 9\n' },
      /until this line says otherwise/,
    ],
    [
      'installed',
      'the copy is there',
      { 'keep-cache.status': 'done - x\n' },
      /a cache disk may be unplugged/,
    ],
    ['installed', 'the cache is waited for', { 'drop-cache.status': 'waiting - x\n' }, /until this line/],
    ['installed', 'the cache was given back', { 'drop-cache.status': 'done - x\n' }, /may be unplugged/],
    [
      'installed',
      'the copy serves after a restart',
      { 'cache.source': 'node /var/lib/edgefab/cache\n', 'registry.status': 'ready - x\n' },
      /a cache disk may be unplugged/,
    ],
    ['live', 'no disk was found yet', { 'cache.status': 'waiting - for x\n' }, /plug in the cache disk/],
    ['installed', 'no disk was found yet', { 'cache.status': 'waiting - x\n' }, /plug in the cache disk/],
    ['installed', 'nothing is known', {}, /leave the cache disk plugged in$/],
  ])('%s: what to do when %s', (phase, _name, files, want, done = false) => {
    const on = machine(files as Record<string, string>);
    if (done) writeFileSync(join(on.root, 'done'), '');
    expect(next(on, { EDGEFAB_PHASE: phase })).toMatch(want);
  });

  test('no message can steer a terminal or agetty, or fill the screen', () => {
    const on = machine({
      'registry.status': `failed - \u001b[2J\\4{eth0}\tx\u0007\nsecond ${'z'.repeat(100_000)}`,
    });
    const [, , line = ''] = show(on);
    expect(line).toMatch(/^ {2}registry: failed - \[2J\/4\{eth0\} x second z+$/);
    expect(line.length).toBeLessThan(450);
    expect(readFileSync(issue(on), 'utf8')).not.toMatch(/[^\n\x20-\x7e]|\\/);
  });

  test('the login prompts are renewed when the text is, and only then', () => {
    const on = machine();
    show(on);
    const before = statSync(issue(on)).ino;
    show(on);
    expect(statSync(issue(on)).ino).toBe(before);
    expect(on.programs.calls()).toEqual(['agetty --reload']);
    writeFileSync(join(on.root, 'run/keep-cache.status'), 'done - x\n');
    show(on);
    expect(on.programs.calls()).toEqual(['agetty --reload', 'agetty --reload']);
    expect(existsSync(`${issue(on)}.new`)).toBe(false);
  });
});
