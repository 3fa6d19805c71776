import { execFileSync } from 'node:child_process';
import { readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { parse } from 'yaml';
import { withFileText } from '../../src/boot/ignition/edit-ignition.ts';
import { fileText } from '../../src/boot/ignition/file-contents.ts';
import type { Ignition } from '../../src/boot/ignition/ignition.ts';
import { parseIgnition, serializeIgnition } from '../../src/boot/ignition/parse-ignition.ts';
import { releaseImage as releaseImageOf } from '../../src/boot/ignition/release-image.ts';
import { decodeDataUrl } from '../../src/formats/data-url.ts';
import { FIXTURES } from '../support/bip-ignition.ts';
import { coreosInstaller, coreosInstallerSkip, hasCoreosInstaller } from '../support/coreos-installer.ts';
import { makeFactory } from '../support/made-factory.ts';
import { runEdgefab, runEdgefabJson } from '../support/run-edgefab.ts';
import { tempFolder } from '../support/temp-folder.ts';

const KARGS = 'rd.neednet=1 ip=192.168.86.45::192.168.86.1:255.255.255.0:bip:enp0s25:none:192.168.86.27';
const KEYFILE = 'edgefab-enp0s25.nmconnection';

/** Every byte outside the areas named is the same in both files. */
function expectSameOutside(
  before: Buffer,
  after: Buffer,
  areas: readonly (readonly [number, number])[],
): void {
  expect(after.length).toBe(before.length);
  const masked = [Buffer.from(before), Buffer.from(after)];
  for (const [offset, length] of areas) for (const copy of masked) copy.fill(0, offset, offset + length);
  expect(masked[0]?.equals(masked[1] ?? Buffer.alloc(0))).toBe(true);
}

interface ShownIso {
  readonly ignition: { readonly offset: number; readonly sizeBytes: number };
  readonly kargs: { readonly capacityBytes: number; readonly areas: readonly { readonly offset: number }[] };
}

/** The live system's keyfile, as coreos-installer shows it, is the one the installed node gets. */
function expectSameNetwork(iso: string, ignition: Ignition): void {
  const live = coreosInstaller(['iso', 'network', 'extract', iso]).toString();
  expect(live).toContain(`########## ${KEYFILE} ##########`);
  expect(live).toContain('address1=192.168.86.45/24,192.168.86.1\ndns=192.168.86.27;\n');
  const manifest = parse(
    fileText(ignition, '/opt/openshift/openshift/99_edgefab-network.yaml') ?? '',
  ) as MachineConfig;
  const [file] = manifest.spec.config.storage.files;
  expect(file).toMatchObject({ path: `/etc/NetworkManager/system-connections/${KEYFILE}`, mode: 0o600 });
  const text = Buffer.from(decodeDataUrl(file?.contents.source ?? '').bytes).toString();
  expect(live).toBe(`########## ${KEYFILE} ##########\n${text}`);
}

interface MachineConfig {
  readonly spec: {
    readonly config: {
      readonly storage: {
        readonly files: readonly { path: string; mode: number; contents: { source: string } }[];
      };
    };
  };
}

async function judge(
  source: string,
  folder: string,
  expectIgnition: (embedded: Buffer) => void,
): Promise<void> {
  const iso = join(folder, 'out', 'bip', 'bip.iso');
  expect(statSync(iso).mode & 0o777).toBe(0o600);
  const embedded = coreosInstaller(['iso', 'ignition', 'show', iso]);
  expectIgnition(embedded);
  const shown = (await runEdgefabJson(['iso', 'show', iso])).document as unknown as ShownIso;
  const defaults = coreosInstaller(['iso', 'kargs', 'show', '--default', iso]).toString().trim();
  expect(coreosInstaller(['iso', 'kargs', 'show', iso]).toString().trim()).toBe(defaults);
  expectSameNetwork(iso, parseIgnition(embedded, 'embedded.ign'));
  expectSameOutside(readFileSync(source), readFileSync(iso), [
    [shown.ignition.offset, shown.ignition.sizeBytes],
    ...shown.kargs.areas.map(({ offset }) => [offset, shown.kargs.capacityBytes] as const),
  ]);
}

describe.skipIf(!hasCoreosInstaller)(`a site from plan to stick${coreosInstallerSkip}`, () => {
  test('with made-up content: the real coreos-installer prints exactly what went in', async () => {
    const factory = await makeFactory();
    const cwd = factory.folder;
    const planned = await runEdgefab(['plan', '--insecure', '--rate', '20Mbit'], { cwd });
    expect(planned.status).toBe(0);
    expect(planned.stdout).toContain(`site bip: network by keyfile in the embed area, ${KEYFILE}\n`);
    expect(planned.stdout).toMatch(/site bip: kernel arguments take \d+ of 1139 bytes\n/);
    expect((await runEdgefab(['precache', '--insecure'], { cwd })).stderr).toContain('unique blobs');
    const built = await runEdgefabJson(['iso', 'bip'], { cwd });
    expect(built.status).toBe(0);
    await judge(factory.at('live.iso'), cwd, (embedded) => {
      const ignition = parseIgnition(embedded, 'embedded.ign');
      expect(fileText(ignition, '/etc/hostname')?.trim()).toBe('bip');
      const build = JSON.parse(fileText(ignition, '/etc/edgefab/build.json') ?? '{}') as { buildId?: string };
      const receipt = JSON.parse(readFileSync(factory.at('out', 'bip', 'receipt.json'), 'utf8')) as {
        buildId?: string;
      };
      expect(build.buildId).toBe(receipt.buildId);
    });
    const shown = await runEdgefab(['iso', 'show', factory.at('out', 'bip', 'bip.iso')], { cwd });
    expect(shown.stdout).toMatch(
      /^network {7}etc\/coreos-firstboot-network\/edgefab-enp0s25\.nmconnection, \d+ bytes$/m,
    );
    const first = readFileSync(factory.at('out', 'bip', 'bip.iso'));
    await runEdgefab(['iso'], { cwd });
    expect(readFileSync(factory.at('out', 'bip', 'bip.iso')).equals(first)).toBe(true);
  });

  test('on an image that reads no embedded keyfiles: kernel arguments, and the same file on the node', async () => {
    const factory = await makeFactory();
    const cwd = factory.folder;
    const iso = factory.at('live.iso');
    const old = readFileSync(iso, 'latin1').replace(
      '"live-initrd-network": true',
      '"live-initrd-networx": true',
    );
    writeFileSync(iso, old, 'latin1');
    const planned = await runEdgefab(['plan', '--insecure'], { cwd });
    expect(planned.stdout).toContain(`site bip: network by kernel arguments, ${KEYFILE}\n`);
    expect((await runEdgefab(['precache', '--insecure', '--quiet'], { cwd })).status).toBe(0);
    const built = await runEdgefab(['iso'], { cwd });
    expect(built).toMatchObject({ status: 0 });
    expect(built.stdout).toContain(`  network       kernel arguments, ${KEYFILE}\n`);
    const site = factory.at('out', 'bip', 'bip.iso');
    const defaults = coreosInstaller(['iso', 'kargs', 'show', '--default', site]).toString().trim();
    expect(coreosInstaller(['iso', 'kargs', 'show', site]).toString().trim()).toBe(`${defaults} ${KARGS}`);
    expect(() => coreosInstaller(['iso', 'network', 'extract', site])).toThrow(
      'No embedded network settings',
    );
    const embedded = parseIgnition(coreosInstaller(['iso', 'ignition', 'show', site]), 'embedded.ign');
    expect(fileText(embedded, '/opt/openshift/openshift/99_edgefab-network.yaml')).toContain(KEYFILE);
  });
});

describe.skipIf(FIXTURES === undefined || !hasCoreosInstaller)(
  `real data${FIXTURES === undefined ? ' (SKIPPED: EDGEFAB_FIXTURES is not set)' : coreosInstallerSkip}`,
  () => {
    const fixture = (...parts: string[]): string => join(FIXTURES ?? '', ...parts);

    test('bip-4.18.ign: patched, accepted by ignition-validate, diff tells all, twice is once', async () => {
      const folder = tempFolder();
      const source = fixture('ignition', 'bip-4.18.ign');
      const once = join(folder, 'once.ign');
      const twice = join(folder, 'twice.ign');
      const args = ['--hostname', 'bip', '--cache-mode', 'preload', '-o'];
      const patched = await runEdgefab(['ignition', 'patch', source, ...args, once]);
      expect(patched).toMatchObject({ status: 0, stderr: '' });
      expect(statSync(once).mode & 0o777).toBe(0o600);
      execFileSync('ignition-validate', [once], { stdio: 'pipe' });

      const { document } = await runEdgefabJson(['ignition', 'diff', source, once]);
      const changes = document.changes as { kind: string; what: string; path: string; detail: string[] }[];
      const found = changes.map(({ kind, what, path }) => `${kind} ${what} ${path}`);
      const isAround = (change: string): boolean =>
        /guard|after|status|\/etc\/edgefab\/site\.env$/.test(change);
      expect(found.filter(isAround)).toContain('added unit edgefab-reinstall-guard.service');
      expect(found.filter((change) => !isAround(change)).sort()).toEqual([
        'added file /etc/hostname',
        'added file /opt/openshift/openshift/99_edgefab-hostname.yaml',
        'changed file /usr/local/bin/install-to-disk.sh',
      ]);
      const edit = changes.find(({ path }) => path.endsWith('install-to-disk.sh'))?.detail.join('\n');
      expect(edit).toContain('--save-partlabel');

      await runEdgefab(['ignition', 'patch', once, ...args, twice]);
      expect(readFileSync(twice).equals(readFileSync(once))).toBe(true);
    });

    test('embed-areas-2023-03 and bip-4.18.ign: built by edgefab iso, read by coreos-installer', async () => {
      const folder = tempFolder();
      const liveIso = join(folder, 'rhcos-live.iso');
      writeFileSync(
        liveIso,
        execFileSync('xz', ['-dc', fixture('iso', 'embed-areas-2023-03.x86_64.iso.xz')], {
          maxBuffer: 1 << 28,
        }),
      );
      // The real config with only its release image moved to a registry that is in reach.
      const factory = await makeFactory({
        liveIso,
        ignition: (releaseImage) => {
          const real = parseIgnition(readFileSync(fixture('ignition', 'bip-4.18.ign')), 'bip-4.18.ign');
          const image = releaseImageOf(real);
          const moved = real.files.reduce((ignition, { path }) => {
            const text = fileText(ignition, path) ?? '';
            return text.includes(image)
              ? withFileText(ignition, path, text.replaceAll(image, releaseImage))
              : ignition;
          }, real);
          return serializeIgnition(moved);
        },
      });
      const cwd = factory.folder;
      expect(await runEdgefab(['precache', '--insecure', '--quiet'], { cwd })).toMatchObject({
        status: 0,
        stderr: '',
      });
      const refused = await runEdgefab(['iso'], { cwd });
      expect(refused.status).toBe(4);
      expect(refused.stderr).toContain('certificates.validFor');
      const built = await runEdgefab(['iso', '--allow-short-life'], { cwd });
      expect(built.status).toBe(0);
      // Its one-day certificates ended on 2026-11-02: that must be said.
      expect(built.stderr).toContain('this stick will not install');
      await judge(liveIso, cwd, (embedded) => {
        execFileSync('ignition-validate', ['-'], { input: embedded, stdio: 'pipe' });
        const text = embedded.toString();
        expect(text).toContain('edgefab-registry.service');
      });

      // With a life of 30 days from the build on, the same config makes a stick that installs.
      const yaml = readFileSync(factory.at('factory.yaml'), 'utf8');
      writeFileSync(
        factory.at('factory.yaml'),
        yaml.replace('    ignition:', '    certificates: { validFor: 30d }\n    ignition:'),
      );
      const extended = await runEdgefab(['iso'], { cwd });
      expect(extended).toMatchObject({ status: 0 });
      expect(extended.stderr).not.toContain('this stick will not install');
      const shown = await runEdgefabJson(['certs', 'show', factory.at('out', 'bip', 'bip.iso')]);
      expect(shown.status).toBe(0);
      const first = readFileSync(factory.at('out', 'bip', 'bip.iso'));
      await runEdgefab(['iso'], { cwd });
      expect(readFileSync(factory.at('out', 'bip', 'bip.iso')).equals(first)).toBe(true);
    });
  },
);
