import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { chmodSync, existsSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { describe, expect, onTestFinished, test } from 'vitest';
import { Gnupg, hasGpg } from '../mirror/resolve/signature/gnupg.ts';
import { startFakeServer } from '../support/fake-server.ts';
import type { Fault } from '../support/fault-proxy.ts';
import { madeBytes } from '../support/made-image.ts';
import { type ReleaseMirror, sha256, startReleaseMirror, tarGz } from '../support/release-mirror.ts';
import { runEdgefab, runEdgefabJson } from '../support/run-edgefab.ts';
import { canMount, mountSmallDisk } from '../support/small-disk.ts';
import { tempFolder } from '../support/temp-folder.ts';

const MIB = 1024 * 1024;
const VERSION = '4.18.9';

function command(mirror: ReleaseMirror, folder: string, ...more: readonly string[]): string[] {
  return ['fetch', '--release', VERSION, '--mirror', mirror.template, '--folder', folder, ...more];
}

async function until(what: () => boolean): Promise<void> {
  for (let tries = 0; tries < 400; tries += 1) {
    if (what()) return;
    await delay(25);
  }
  throw new Error('it did not happen within 10 s');
}

test('gets the installer and its live ISO; a second run keeps both', async () => {
  const mirror = await startReleaseMirror();
  const folder = join(tempFolder(), 'media');
  const first = await runEdgefab(command(mirror, folder));
  expect(first.stderr).toContain('no signature was checked');
  expect(first.status).toBe(0);
  expect(first.stdout).toContain(`release ${VERSION}, fetched`);
  expect(readdirSync(folder).sort()).toEqual([
    'openshift-install',
    'openshift-install.fetched.json',
    mirror.isoName,
  ]);
  const program = join(folder, 'openshift-install');
  expect(readFileSync(program, 'utf8')).toBe(mirror.program);
  expect(statSync(program).mode & 0o777).toBe(0o755);
  expect(readFileSync(join(folder, mirror.isoName)).equals(mirror.iso)).toBe(true);

  const before = mirror.proxy.asked.length;
  const second = await runEdgefabJson(command(mirror, folder));
  expect(second.status).toBe(0);
  expect(second.document).toMatchObject({
    kind: 'Fetch',
    release: { version: VERSION, arch: 'x86_64' },
    installer: { state: 'kept', digest: `sha256:${sha256(mirror.program)}`, signedBy: null },
    says: { version: VERSION },
    liveIso: { state: 'kept', digest: `sha256:${sha256(mirror.iso)}`, release: '418.94.1-0' },
  });
  expect(mirror.proxy.asked.slice(before)).toEqual([mirror.paths.sums]);
});

test('does what the factory says, in its places', async () => {
  const mirror = await startReleaseMirror();
  const folder = tempFolder();
  const factory = join(folder, 'factory.yaml');
  writeFileSync(
    factory,
    `apiVersion: edgefab.io/v1
kind: Factory
release: { version: ${VERSION}, arch: x86_64 }
installConfig: install-config.yaml
media: { liveIso: iso/live.iso, installer: bin/openshift-install }
sites:
  - name: bip
    domain: example.com
    installDisk: { path: /dev/sda }
    cache: { mode: preload, location: usb }
    network: { interface: eth0, address: 192.168.86.45/24, gateway: 192.168.86.1, dns: [192.168.86.27] }
`,
  );
  const before = await runEdgefab(['doctor', '--factory', factory]);
  expect(before.status).toBe(4);
  expect(before.stdout).toMatch(
    /MISSING {2}media\.liveIso: .*live\.iso cannot be read; edgefab fetch gets it/,
  );
  expect(before.stdout).toMatch(/MISSING {2}openshift-install: .* edgefab fetch gets it/);
  const args = ['fetch', '--factory', factory, '--mirror', mirror.template];
  expect(await runEdgefab([...args, '--release', '4.18.10'])).toMatchObject({ status: 2 });
  const done = await runEdgefab(args);
  expect(done.status).toBe(0);
  expect(existsSync(join(folder, 'iso/live.iso'))).toBe(true);
  expect(existsSync(join(folder, 'bin/openshift-install'))).toBe(true);
  const after = await runEdgefab(['doctor', '--factory', factory]);
  expect(after.stdout).toContain(
    `ok       openshift-install: ${join(folder, 'bin/openshift-install')} ${VERSION}`,
  );
});

test.each([
  ['SIGINT', 130],
  ['SIGKILL', null],
] as const)('%s in the middle of the ISO: the next run goes on from there', async (signal, status) => {
  const arrived = 2_500_000;
  let quiet = true;
  const mirror = await startReleaseMirror({
    isoBytes: 6_000_000,
    rule: (path) =>
      quiet && path.startsWith('/rhcos/') ? { kind: 'stall', afterBytes: arrived } : undefined,
  });
  const folder = tempFolder();
  const partial = join(folder, `${mirror.isoName}.partial`);
  const child = spawn(process.execPath, ['bin/edgefab.js', ...command(mirror, folder)], { stdio: 'ignore' });
  await until(() => existsSync(partial) && statSync(partial).size >= 2 * MIB);
  await delay(300);
  child.kill(signal);
  const [code] = (await once(child, 'exit')) as [number | null];
  expect(code).toBe(status);
  expect(existsSync(join(folder, mirror.isoName))).toBe(false);
  const kept = statSync(partial).size;
  if (status !== null) expect(kept).toBe(arrived);

  quiet = false;
  const sentBefore = mirror.proxy.sentBytes;
  const resumed = await runEdgefab(command(mirror, folder));
  expect(resumed.status).toBe(0);
  expect(mirror.proxy.sentBytes - sentBefore).toBeLessThanOrEqual(6_000_000 - kept + MIB);
  expect(mirror.server.requests.at(-1)?.range).toMatch(/^bytes=2[0-9]{6}-$/);
  expect(readFileSync(join(folder, mirror.isoName)).equals(mirror.iso)).toBe(true);
  expect(readdirSync(folder).filter((name) => name.includes('.partial'))).toEqual([]);
});

describe('a mirror that is not what it should be', () => {
  const isoFault =
    (fault: Fault, attempts = 1) =>
    (path: string, { attempt }: { attempt: number }): Fault | undefined =>
      path.startsWith('/rhcos/') && attempt <= attempts ? fault : undefined;

  test.each<[string, Fault]>([
    ['a truncated body', { kind: 'truncate', afterBytes: 1_000_000 }],
    ['a connection that is reset', { kind: 'reset', afterBytes: 1_500_000 }],
    ['a server that is busy', { kind: 'status', status: 503 }],
  ])('%s is gone on with', async (_name, fault) => {
    const mirror = await startReleaseMirror({ rule: isoFault(fault) });
    const folder = tempFolder();
    expect((await runEdgefab(command(mirror, folder))).status).toBe(0);
    expect(readFileSync(join(folder, mirror.isoName)).equals(mirror.iso)).toBe(true);
  });

  test('a server that ignores Range sends all again', async () => {
    const mirror = await startReleaseMirror({
      rule: (path, { attempt }) =>
        path.startsWith('/rhcos/')
          ? attempt === 1
            ? { kind: 'truncate', afterBytes: 1_000_000 }
            : { kind: 'no-range' }
          : undefined,
    });
    const folder = tempFolder();
    expect((await runEdgefab(command(mirror, folder))).status).toBe(0);
    expect(readFileSync(join(folder, mirror.isoName)).equals(mirror.iso)).toBe(true);
  });

  test.each([
    ['of the same length, with If-Range', 0],
    ['of another length', 1000],
  ])('what changed meanwhile, %s, is fetched from the start', async (_name, more) => {
    const faults: (Fault | undefined)[] = [
      { kind: 'truncate', afterBytes: 1_500_000 },
      { kind: 'status', status: 503 },
    ];
    const mirror = await startReleaseMirror({
      rule: (path) => (path.startsWith('/rhcos/') ? faults.shift() : undefined),
    });
    const folder = tempFolder();
    const right = mirror.iso;
    mirror.files.set(mirror.paths.iso, madeBytes('not yet the right one', right.length + more));
    const first = await runEdgefab(command(mirror, folder, '--retry-times', '0'));
    expect(first.status).toBe(8);
    expect(statSync(join(folder, `${mirror.isoName}.partial`)).size).toBeGreaterThan(0);
    mirror.files.set(mirror.paths.iso, right);
    expect((await runEdgefab(command(mirror, folder))).status).toBe(0);
    expect(readFileSync(join(folder, mirror.isoName)).equals(right)).toBe(true);
  });

  test('a wrong live ISO ends with 6, is asked for once, and gets no name', async () => {
    const mirror = await startReleaseMirror({ rule: isoFault({ kind: 'corrupt' }, 9) });
    const folder = tempFolder();
    const { status, document } = await runEdgefabJson(command(mirror, folder));
    expect(status).toBe(6);
    expect(document).toMatchObject({ error: { code: 'BLOB_DIGEST_MISMATCH' } });
    expect(readdirSync(folder).sort()).toEqual(['openshift-install', 'openshift-install.fetched.json']);
    expect(mirror.server.requests.filter(({ path }) => path === mirror.paths.iso)).toHaveLength(1);
  });

  test('a wrong installer ends with 6, and nothing of it is run or named', async () => {
    const mirror = await startReleaseMirror();
    mirror.files.set(mirror.paths.archive, await tarGz([[{ name: 'openshift-install' }, 'evil']]));
    const folder = tempFolder();
    expect(await runEdgefab(command(mirror, folder))).toMatchObject({ status: 6 });
    expect(readdirSync(folder)).toEqual([]);
  });

  test('a version that is not there: says which are', async () => {
    const mirror = await startReleaseMirror({ version: '4.18.10' });
    const { status, stderr } = await runEdgefab(command(mirror, tempFolder()));
    expect(status).toBe(3);
    expect(stderr).toContain('release 4.18.9 (x86_64) is not there');
    expect(stderr).toContain('There are: 4.18.10, 4.18.8, 4.18.7\n');
  });

  test('an installer of another release is refused before the ISO', async () => {
    const mirror = await startReleaseMirror();
    const env = { DOUBLE_VERSION: '4.18.8' };
    const { status, stderr } = await runEdgefab(command(mirror, tempFolder()), { env });
    expect(status).toBe(4);
    expect(stderr).toContain('is of release 4.18.8, want 4.18.9');
    expect(mirror.proxy.asked).not.toContain(mirror.paths.iso);
  });

  test('a page in place of the checksums is said to be one', async () => {
    const mirror = await startReleaseMirror();
    mirror.files.set(mirror.paths.sums, Buffer.from('<html>please log in</html>'));
    const { status, stderr } = await runEdgefab(command(mirror, tempFolder()));
    expect(status).toBe(6);
    expect(stderr).toContain('line 1 is no checksum');
  });

  test('credentials go to the mirror, and not where it redirects', async () => {
    const elsewhere = await startFakeServer((_request, response) => {
      response.writeHead(200, { 'content-length': mirror.iso.length }).end(mirror.iso);
    });
    onTestFinished(() => elsewhere.close());
    const mirror = await startReleaseMirror({
      rule: (path) =>
        path.startsWith('/rhcos/') ? { kind: 'redirect', to: `${elsewhere.url}/iso` } : undefined,
    });
    const folder = tempFolder();
    const authfile = join(folder, 'auth.json');
    const auth = Buffer.from('me:secret').toString('base64');
    writeFileSync(authfile, JSON.stringify({ auths: { [mirror.proxy.host]: { auth } } }));
    const done = await runEdgefab(command(mirror, join(folder, 'media'), '--authfile', authfile));
    expect(done.status).toBe(0);
    expect(mirror.server.requests.map(({ authorization }) => authorization)).toEqual([
      `Basic ${auth}`,
      `Basic ${auth}`,
    ]);
    expect(elsewhere.requests).toMatchObject([{ path: '/iso', authorization: undefined }]);
  });
});

test('another place for the live ISO', async () => {
  const mirror = await startReleaseMirror();
  mirror.nameIso(`https://rhcos.mirror.invalid/art/storage/${mirror.isoName}`);
  const folder = tempFolder();
  const isoMirror = `http://${mirror.proxy.host}/rhcos`;
  expect((await runEdgefab(command(mirror, folder, '--iso-mirror', isoMirror))).status).toBe(0);
  rmSync(join(folder, mirror.isoName));
  mirror.files.set(`/raw/art/storage/${mirror.isoName}`, mirror.iso);
  const whole = `http://${mirror.proxy.host}/raw/{path}`;
  expect((await runEdgefab(command(mirror, folder, '--iso-mirror', whole))).status).toBe(0);
});

test('files of somebody else stay until --overwrite', async () => {
  const mirror = await startReleaseMirror();
  const folder = tempFolder();
  const program = join(folder, 'openshift-install');
  writeFileSync(program, '#!/bin/sh\n');
  writeFileSync(join(folder, mirror.isoName), 'mine');
  const refused = await runEdgefab(command(mirror, folder));
  expect(refused.status).toBe(4);
  expect(refused.stderr).toContain('edgefab did not fetch it');
  writeFileSync(program, mirror.program);
  chmodSync(program, 0o755);
  const iso = await runEdgefab(command(mirror, folder, '--iso-only'));
  expect(iso.status).toBe(4);
  expect(iso.stderr).toContain('is there already and is another file');
  expect(readFileSync(join(folder, mirror.isoName), 'utf8')).toBe('mine');
  expect((await runEdgefab(command(mirror, folder, '--overwrite'))).status).toBe(0);
  expect(readFileSync(join(folder, mirror.isoName)).equals(mirror.iso)).toBe(true);
});

describe.skipIf(!hasGpg)('with a keyring (needs gpg on PATH)', () => {
  test.each<[string, string, (gnupg: Gnupg, sums: Buffer) => Buffer, number]>([
    ['detached', 'gpg', (gnupg, sums) => gnupg.run(['--local-user', 'release', '--detach-sign'], sums), 0],
    [
      'armoured',
      'asc',
      (gnupg, sums) => gnupg.run(['--local-user', 'release', '--armor', '--detach-sign'], sums),
      0,
    ],
    ['a signed message', 'sig', (gnupg, sums) => gnupg.sign('release', sums), 0],
    ['an armoured message', 'sig', (gnupg, sums) => gnupg.sign('release', sums, ['--armor']), 0],
    [
      'of other bytes',
      'gpg',
      (gnupg, sums) => gnupg.run(['--local-user', 'release', '--detach-sign'], `${sums}\n`),
      6,
    ],
    ['a message of other bytes', 'sig', (gnupg, sums) => gnupg.sign('release', `${sums}\n`), 6],
    [
      'by a stranger',
      'gpg',
      (gnupg, sums) => gnupg.run(['--local-user', 'stranger', '--detach-sign'], sums),
      6,
    ],
    ['garbage', 'gpg', () => Buffer.from('<html>'), 6],
    ['nowhere', 'none', () => Buffer.from(''), 4],
  ])('a signature that is %s (%s)', async (_name, ending, make, status) => {
    const mirror = await startReleaseMirror();
    const gnupg = new Gnupg();
    onTestFinished(() => gnupg.remove());
    gnupg.makeKey('release');
    gnupg.makeKey('stranger');
    const keyring = gnupg.write('keyring.gpg', gnupg.exportKeys('release'));
    const sums = mirror.files.get(mirror.paths.sums) ?? Buffer.alloc(0);
    mirror.files.set(`${mirror.paths.sums}.${ending}`, make(gnupg, sums));
    const folder = tempFolder();
    const done = await runEdgefab(command(mirror, folder, '--installer-only', '--keyring', keyring));
    expect(done.status).toBe(status);
    if (status === 0) expect(done.stdout).toContain(`signed by ${gnupg.fingerprint('release')}`);
    else expect(readdirSync(folder)).toEqual([]);
  });

  test.each([
    ['by the keyring', 'release', 0],
    ['by a stranger', 'stranger', 6],
    ['nowhere', undefined, 4],
  ] as const)('a live ISO that is signed %s', async (_name, signer, status) => {
    const mirror = await startReleaseMirror();
    const gnupg = new Gnupg();
    onTestFinished(() => gnupg.remove());
    gnupg.makeKey('release');
    gnupg.makeKey('stranger');
    const keyring = gnupg.write('keyring.gpg', gnupg.exportKeys('release'));
    const detached = (name: string, bytes: Uint8Array): Buffer =>
      gnupg.run(['--local-user', name, '--detach-sign'], bytes);
    const sums = mirror.files.get(mirror.paths.sums) ?? Buffer.alloc(0);
    mirror.files.set(`${mirror.paths.sums}.gpg`, detached('release', sums));
    const location = `http://${mirror.proxy.host}${mirror.paths.iso}`;
    mirror.nameIso(location, `${location}.sig`);
    if (signer !== undefined) mirror.files.set(`${mirror.paths.iso}.sig`, detached(signer, mirror.iso));
    const folder = tempFolder();
    const done = await runEdgefab(command(mirror, folder, '--keyring', keyring));
    expect(done.status).toBe(status);
    expect(existsSync(join(folder, mirror.isoName))).toBe(status === 0);
  });
});

describe.skipIf(!canMount)('on a small disk (needs root and a loop device)', () => {
  test('an ISO that does not fit is refused before its first byte', async () => {
    const disk = mountSmallDisk(16 * MIB);
    const mirror = await startReleaseMirror({ isoBytes: 32 * MIB });
    const { status, stderr } = await runEdgefab(command(mirror, join(disk, 'media')));
    expect(status).toBe(4);
    expect(stderr).toContain('not enough space');
    expect(readdirSync(join(disk, 'media')).sort()).toEqual([
      'openshift-install',
      'openshift-install.fetched.json',
    ]);
  });
});
