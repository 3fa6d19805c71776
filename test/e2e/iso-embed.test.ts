import { spawnSync } from 'node:child_process';
import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { describe, expect, it } from 'vitest';
import { inspectIso } from '../../src/boot/iso/inspect-iso.ts';
import { readIsoInitrd, readIsoKargs } from '../../src/boot/iso/read-iso.ts';
import { writeUndo } from '../../src/boot/iso/undo-file.ts';
import { demoBipIgnition } from '../../src/factory/demo/bip-ignition.ts';
import { RELEASE_IMAGE } from '../support/bip-ignition.ts';
import { coreosInstaller, coreosInstallerSkip, hasCoreosInstaller } from '../support/coreos-installer.ts';
import { makeCoreosIso } from '../support/coreos-iso.ts';
import { madeUpBytes } from '../support/made-up-bytes.ts';
import { runEdgefab, runEdgefabJson } from '../support/run-edgefab.ts';
import { tempFolder } from '../support/temp-folder.ts';
import { haveTools } from '../support/tools.ts';

const PROGRAM = resolve('bin/edgefab.js');
const KEYFILE = '[connection]\nid=eno1\ntype=ethernet\n\n[ipv4]\nmethod=auto\n';

/** A live ISO, a config and a keyfile in a folder. */
async function world(areaBytes?: number) {
  const cwd = tempFolder();
  await makeCoreosIso(join(cwd, 'live.iso'), areaBytes === undefined ? {} : { areaBytes });
  const config = {
    clusterName: 'bip',
    domain: 'example.com',
    installDisk: '/dev/sda',
    releaseImage: RELEASE_IMAGE,
  };
  writeFileSync(join(cwd, 'bip.ign'), demoBipIgnition(config));
  writeFileSync(join(cwd, 'eno1.nmconnection'), KEYFILE);
  const run = (...args: string[]) => runEdgefab(['iso', 'embed', ...args], { cwd });
  const json = (...args: string[]) => runEdgefabJson(['iso', 'embed', ...args], { cwd });
  const piped = (input: Uint8Array, ...args: string[]) =>
    spawnSync(process.execPath, [PROGRAM, 'iso', 'embed', ...args], {
      cwd,
      input,
      env: { PATH: process.env.PATH, HOME: '/nonexistent', TMPDIR: cwd, NO_COLOR: '1' },
      maxBuffer: 64 * 1024 * 1024,
    });
  return { cwd, at: (name: string) => join(cwd, name), run, json, piped };
}

const ALL = [
  '--ignition',
  'bip.ign',
  '--network',
  'eno1.nmconnection',
  '--append-karg',
  'a=1',
  '--replace-karg',
  'ignition.platform.id=metal=qemu',
];

it('puts config, keyfile and arguments in with one pass, the same bytes every time and every way', async () => {
  const { cwd, at, run, piped } = await world();
  const first = await run('live.iso', ...ALL, '-o', 'a.iso');
  expect(first).toMatchObject({ status: 0, stderr: '' });
  expect(first.stdout).toMatch(
    /^a\.iso: \d+ bytes, volume edgefab-demo\nembed area .* \(gzip\)\nkernel args .*qemu a=1\nargs area/,
  );
  const iso = await inspectIso(at('a.iso'));
  const files = await readIsoInitrd(iso);
  expect([...files.keys()]).toEqual(['config.ign', 'etc/coreos-firstboot-network/eno1.nmconnection']);
  expect((await readIsoKargs(iso)).current).toMatch(/ignition\.platform\.id=qemu a=1$/);

  const want = readFileSync(at('a.iso'));
  await run('live.iso', ...ALL, '-o', 'b.iso');
  expect(readFileSync(at('b.iso')).equals(want)).toBe(true);
  const live = readFileSync(at('live.iso'));
  const through = piped(live, '-', ...ALL, '-o', '-');
  expect(through.stdout.equals(want)).toBe(true);
  expect(through.stderr.toString()).toMatch(
    /^warn: nothing vouches for the ISO, which has sha256:[0-9a-f]{64}/,
  );
  expect(piped(live, '-', ...ALL, '-o', 'c.iso').status).toBe(0);
  expect(readFileSync(at('c.iso')).equals(want)).toBe(true);
  expect(await run('live.iso', ...ALL, '--in-place')).toMatchObject({ status: 0 });
  expect(readFileSync(at('live.iso')).equals(want)).toBe(true);
  expect(readdirSync(cwd).filter((name) => name.startsWith('.') || name.startsWith('edgefab'))).toEqual([]);
});

it('does one thing alone, and refuses nothing at all', async () => {
  const { at, run, json } = await world();
  expect(await run('live.iso', '--network', 'eno1.nmconnection', '-o', 'net.iso')).toMatchObject({
    status: 0,
  });
  expect([...(await readIsoInitrd(await inspectIso(at('net.iso')))).values()].map(String)).toEqual([KEYFILE]);
  const kargs = await json('live.iso', '--delete-karg', 'ignition.firstboot', '-o', 'kargs.iso');
  expect(kargs.document).toMatchObject({
    kind: 'IsoReceipt',
    target: 'kargs.iso',
    kargs: { after: 'coreos.liveiso=edgefab-demo ignition.platform.id=metal' },
  });
  const nothing = await run('live.iso', '-o', 'none.iso');
  expect(nothing.status).toBe(2);
  expect(nothing.stderr).toContain('--ignition, --network, --append-karg');
  expect(existsSync(at('none.iso'))).toBe(false);
});

describe('says what it does not do', () => {
  const rows: [string, string[], number, RegExp][] = [
    ['without an output', ['live.iso', '--append-karg', 'a'], 2, /-o FILE, or .*--in-place/],
    ['with two', ['live.iso', '--append-karg', 'a', '-o', 'x.iso', '--in-place'], 2, /cannot both be meant/],
    [
      '--json and stdout',
      ['live.iso', '--append-karg', 'a', '-o', '-', '--json'],
      2,
      /stdout cannot hold both/,
    ],
    ['stdin in place', ['-', '--append-karg', 'a', '--in-place'], 2, /stdin cannot be changed in place/],
    [
      'over a file',
      ['live.iso', '--append-karg', 'a', '-o', 'bip.ign'],
      4,
      /already there\n {2}try: .*--force/,
    ],
    [
      'over the source',
      ['live.iso', '--append-karg', 'a', '-o', 'live.iso', '--force'],
      2,
      /source ISO itself/,
    ],
    ['to a device', ['live.iso', '--append-karg', 'a', '-o', '/dev/null', '--force'], 4, /no regular file/],
    [
      'a keyfile twice',
      ['live.iso', '--network', 'eno1.nmconnection', '--network', 'eno1.nmconnection', '-o', 'x'],
      2,
      /given twice/,
    ],
    ['a replacement that is none', ['live.iso', '--replace-karg', 'a=b', '-o', 'x'], 2, /KEY=OLD=NEW/],
    [
      'an ISO that is not there',
      ['none.iso', '--append-karg', 'a', '-o', 'x'],
      3,
      /none\.iso cannot be opened/,
    ],
  ];
  it.each(rows)('%s', async (_, args, status, message) => {
    const { at, run } = await world();
    const before = readFileSync(at('live.iso'));
    const refused = await run(...args);
    expect([refused.status, `${refused.stdout}${refused.stderr}`]).toEqual([
      status,
      expect.stringMatching(message),
    ]);
    expect(readFileSync(at('live.iso')).equals(before)).toBe(true);
    expect(existsSync(at('x'))).toBe(false);
  });

  const hasScript = haveTools('script');
  it.skipIf(!hasScript)(`an ISO on a terminal${hasScript ? '' : ' (SKIPPED: no script(1))'}`, async () => {
    const { cwd } = await world();
    const command = `'${process.execPath}' '${PROGRAM}' iso embed live.iso --append-karg a -o -`;
    const { status, stdout } = spawnSync('script', ['-qec', command, '/dev/null'], { cwd, encoding: 'utf8' });
    expect([status, stdout]).toEqual([2, expect.stringContaining('does not go on a terminal')]);
  });

  it('what takes the space of an area that is too small', async () => {
    const { run, json, cwd } = await world(3000);
    const contents = { source: `data:;base64,${madeUpBytes(4000).toString('base64')}` };
    const config = { ignition: { version: '3.2.0' }, storage: { files: [{ path: '/etc/large', contents }] } };
    writeFileSync(join(cwd, 'large.ign'), JSON.stringify(config));
    const told = await run('live.iso', '--ignition', 'large.ign', '-o', 'x.iso');
    expect([told.status, told.stderr]).toEqual([4, expect.stringMatching(/want at most 3000: \d+ too many/)]);
    expect(told.stderr).toMatch(
      /\n {2}file \/etc\/large: about \d+ bytes of the area, 4000 on the machine\n/,
    );
    const { document } = await json('live.iso', '--ignition', 'large.ign', '-o', 'x.iso');
    expect(document).toMatchObject({
      error: { code: 'EMBED_AREA_FULL', faults: [{ place: { field: '/etc/large' } }, {}] },
    });
  });
});

it('takes back what was cut off, alone or before it goes on', async () => {
  const { at, run, json } = await world();
  const before = readFileSync(at('live.iso'));
  const cutOff = async () => {
    const change = { offset: 9, before: Buffer.alloc(3), after: Buffer.from('new') };
    await writeUndo(at('live.iso'), { owner: '1 0 x', changes: [change] });
    writeFileSync(at('live.iso'), Buffer.from(before).fill('ne', 9, 11));
  };
  await cutOff();
  const copied = await run('live.iso', '--append-karg', 'a', '-o', 'x.iso');
  expect([copied.status, copied.stderr]).toEqual([
    4,
    expect.stringContaining('iso embed live.iso --in-place'),
  ]);
  expect(await run('live.iso', '--in-place')).toMatchObject({
    status: 0,
    stdout: 'live.iso: a change that was cut off has been taken back\n',
  });
  expect(readFileSync(at('live.iso')).equals(before)).toBe(true);
  await cutOff();
  const { document } = await json('live.iso', '--append-karg', 'a', '--in-place');
  expect(document).toMatchObject({ kind: 'IsoReceipt', restored: true });
  expect((await readIsoKargs(await inspectIso(at('live.iso')))).current).toMatch(/ a$/);
});

describe.skipIf(!hasCoreosInstaller)(`coreos-installer as judge${coreosInstallerSkip}`, () => {
  it('reads all that one pass put in, in a copy, in place and in a stream', async () => {
    const { cwd, at, run, piped } = await world();
    await run('live.iso', ...ALL, '-o', 'copy.iso');
    writeFileSync(at('stream.iso'), piped(readFileSync(at('live.iso')), '-', ...ALL, '-o', '-').stdout);
    await run('live.iso', ...ALL, '--in-place');
    const config = readFileSync(at('bip.ign'), 'utf8');
    for (const name of ['copy.iso', 'stream.iso', 'live.iso']) {
      const folder = join(cwd, `${name}.network`);
      expect(JSON.parse(String(coreosInstaller(['iso', 'ignition', 'show', at(name)])))).toEqual(
        JSON.parse(config),
      );
      coreosInstaller(['iso', 'network', 'extract', '-C', folder, at(name)]);
      expect(readdirSync(folder)).toEqual(['eno1.nmconnection']);
      expect(readFileSync(join(folder, 'eno1.nmconnection'), 'utf8')).toBe(KEYFILE);
      expect(String(coreosInstaller(['iso', 'kargs', 'show', at(name)]))).toBe(
        'coreos.liveiso=edgefab-demo ignition.firstboot ignition.platform.id=qemu a=1\n',
      );
    }
  });

  it('is read, and goes back to as it was downloaded', async () => {
    const { at, run } = await world();
    const plain = readFileSync(at('live.iso'));
    coreosInstaller(['iso', 'network', 'embed', '-k', at('eno1.nmconnection'), at('live.iso')]);
    coreosInstaller(['iso', 'kargs', 'modify', '--append', 'theirs=1', at('live.iso')]);
    const refused = await run('live.iso', '--append-karg', 'ours=1', '--in-place');
    expect([refused.status, refused.stderr]).toEqual([4, expect.stringContaining('theirs=1')]);
    // Their keyfile stays beside our config.
    expect(await run('live.iso', '--ignition', 'bip.ign', '--in-place')).toMatchObject({ status: 0 });
    expect([...(await readIsoInitrd(await inspectIso(at('live.iso')))).keys()]).toEqual([
      'config.ign',
      'etc/coreos-firstboot-network/eno1.nmconnection',
    ]);
    expect(String(coreosInstaller(['iso', 'kargs', 'show', at('live.iso')]))).toMatch(/theirs=1\n$/);
    coreosInstaller(['iso', 'reset', at('live.iso')]);
    expect(readFileSync(at('live.iso')).equals(plain)).toBe(true);
  });
});
