import { spawnSync } from 'node:child_process';
import { chmodSync, cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, dirname, join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { OVERLAY_FILES } from '../../src/boot/patch/overlay.ts';

const has = (tool: string): boolean => spawnSync(tool, ['--version']).status === 0;
const SCRIPTS = OVERLAY_FILES.filter((name) => name.endsWith('.sh'));
const UNITS = OVERLAY_FILES.filter((name) => /\.(?:service|path)$/.test(name));
/** Files that are sourced, not run. */
const SOURCED = ['scripts/edgefab-disk.sh'];
/** Those the install waits for: what opens the cache, and what serves or loads its images. */
const CACHE_UNITS = UNITS.filter((name) => /^units\/|edgefab-(?:cache|preload|files)\.service$/.test(name));
/** The two that mark and read the boot partition of an install, which is no cache. */
const MOUNTS_BOOT = new Map([
  ['scripts/edgefab-reinstall-guard.sh', 'ro,norecovery,nodev,nosuid,noexec'],
  ['scripts/edgefab-after-install.sh', 'rw,nodev,nosuid,noexec'],
]);
/** Drop-ins of units; the rest of the .conf files are of other programs. */
const DROPINS = OVERLAY_FILES.filter(
  (name) => name.endsWith('.conf') && name !== 'installed/edgefab-networkmanager.conf',
);
/** What is there to stop the install: the guard against a reinstall, and files of the config that are not there. */
const REQUIRED: readonly string[] = ['live/reinstall-guard-required.conf', 'live/files-required.conf'];
/** What units run beside the scripts in /usr/local/bin: programs of the system. */
const PROGRAMS = ['usr/sbin/dnsmasq'];
const text = (name: string): string => readFileSync(join('overlays', name), 'utf8');

describe.skipIf(!has('shellcheck'))('shellcheck finds nothing (needs shellcheck)', () => {
  test.each(SCRIPTS)('%s', (name) => {
    const { status, stdout } = spawnSync('shellcheck', ['-x', join('overlays', name)], { encoding: 'utf8' });
    expect([stdout, status]).toEqual(['', 0]);
  });
});

/** A machine's root with the scripts in place and empty neighbours, so that the units can be verified offline. */
function machineRoot(files: Record<string, string>): string {
  const root = mkdtempSync(join(tmpdir(), 'edgefab-root-'));
  const put = (path: string, content: string): void => {
    mkdirSync(dirname(join(root, path)), { recursive: true });
    writeFileSync(join(root, path), content);
  };
  for (const name of SCRIPTS) put(`usr/local/bin/${basename(name)}`, text(name));
  put('usr/local/bin/release-image-download.sh', '#!/bin/bash\n');
  for (const name of SCRIPTS)
    if (!SOURCED.includes(name)) chmodSync(join(root, `usr/local/bin/${basename(name)}`), 0o755);
  chmodSync(join(root, 'usr/local/bin/release-image-download.sh'), 0o755);
  for (const path of PROGRAMS) {
    put(path, '#!/bin/bash\n');
    chmodSync(join(root, path), 0o755);
  }
  cpSync('/usr/lib/systemd/system', join(root, 'usr/lib/systemd/system'), {
    recursive: true,
    verbatimSymlinks: true,
  });
  put('etc/edgefab/preload.env', 'EDGEFAB_RELEASE_IMAGE=x\n');
  put('etc/edgefab/registry.env', 'EDGEFAB_PORT=22626\nEDGEFAB_BUILD_ID=x\n');
  put('etc/edgefab/site.env', 'EDGEFAB_SITE=x\n');
  for (const [path, content] of Object.entries(files)) put(path, content);
  return root;
}

/** With `recursive` also what is wrong with the units it pulls in. */
function verify(unit: string, files: Record<string, string>, recursive = false): string {
  const root = machineRoot(files);
  try {
    const { stderr, status } = spawnSync(
      'systemd-analyze',
      ['verify', `--root=${root}`, '--man=no', `--recursive-errors=${recursive ? 'yes' : 'no'}`, unit],
      { encoding: 'utf8' },
    );
    return status === 0 ? stderr.trim() : `status ${status}: ${stderr}`;
  } finally {
    rmSync(root, { recursive: true });
  }
}

const STOCK_RELEASE_IMAGE =
  '[Unit]\nDescription=x\n[Service]\nType=oneshot\nExecStart=/usr/local/bin/release-image-download.sh\n';

describe.skipIf(!has('systemd-analyze'))(
  'systemd-analyze verify finds nothing (needs systemd-analyze)',
  () => {
    test.each(UNITS)('%s', (name) => {
      const others = { 'etc/systemd/system/edgefab-status.service': text('live/edgefab-status.service') };
      const neighbours = [
        ...UNITS.filter((each) => each.startsWith('units/')),
        'live/edgefab-cache.service',
        name,
      ];
      const files = neighbours.map((each) => [`etc/systemd/system/${basename(each)}`, text(each)]);
      expect(verify(basename(name), { ...others, ...Object.fromEntries(files) })).toBe('');
    });
    test.each(DROPINS)('%s', (name) => {
      const unit = 'release-image.service';
      expect(
        verify(unit, {
          [`etc/systemd/system/${unit}`]: STOCK_RELEASE_IMAGE,
          [`etc/systemd/system/${unit}.d/10.conf`]: text(name),
          'etc/systemd/system/edgefab-preload.service': text('live/edgefab-preload.service'),
          'etc/systemd/system/edgefab-registry-ready.service': text('units/edgefab-registry-ready.service'),
          'etc/systemd/system/edgefab-reinstall-guard.service': text('live/edgefab-reinstall-guard.service'),
          'etc/systemd/system/edgefab-files.service': text('live/edgefab-files.service'),
        }),
      ).toBe('');
    });
    test.each(['live', 'installed'])(
      'the units of the %s phase and those that wait for them make no cycle',
      (phase) => {
        const put = (name: string, content: string): [string, string] => [
          `etc/systemd/system/${name}`,
          content,
        ];
        const units = UNITS.filter(
          (name) =>
            name.startsWith('units/') ||
            name === `${phase}/edgefab-cache.service` ||
            name === `${phase}/edgefab-files.service`,
        );
        const wants = units.map((name) => {
          const target = /^WantedBy=(.*)$/m.exec(text(name))?.[1];
          return put(`${target}.d/${basename(name)}.conf`, `[Unit]\nWants=${basename(name)}\n`);
        });
        const oneshot = (lines: string): string =>
          `[Unit]\nDescription=x\n${lines}\n[Service]\nType=oneshot\nExecStart=/usr/local/bin/release-image-download.sh\n`;
        // As the installer, CoreOS and the machine config operator order them.
        const others = {
          'coreos-update-ca-trust.service': `DefaultDependencies=no\nAfter=local-fs.target`,
          'node-image-pull.service': 'After=network.target',
          'release-image.service': 'Wants=network-online.target\nAfter=network-online.target',
          'crio-configure.service':
            'Requires=release-image.service\nAfter=release-image.service\nBefore=crio.service',
          'crio.service': 'After=network-online.target',
          'kubelet.service':
            'Wants=crio.service release-image.service\nAfter=crio.service release-image.service',
          'bootkube.service': 'Requires=crio-configure.service\nAfter=kubelet.service crio-configure.service',
          'machine-config-daemon-pull.service': 'After=network-online.target',
          'nodeip-configuration.service': 'After=network-online.target\nBefore=kubelet.service crio.service',
          'chronyd.service': '',
        };
        const names = Object.keys(others);
        const waiting = names.filter((name) =>
          /^(?:release|bootkube|node-image|machine-config-daemon-pull)/.test(name),
        );
        const files = Object.fromEntries([
          ...units.map((name) => put(basename(name), text(name))),
          ...wants,
          ...Object.entries(others).map(([name, lines]) => put(name, oneshot(lines))),
          ...waiting.map((name) => put(`${name}.d/10.conf`, text('units/registry-order.conf'))),
          put('multi-user.target.d/others.conf', `[Unit]\nWants=${names.join(' ')}\n`),
        ]);
        expect(verify('multi-user.target', files, true)).not.toMatch(/cycle/i);
        // The same graph turned round is a cycle, and is found.
        const wrong = {
          ...files,
          ...Object.fromEntries([put('edgefab-cache.service.d/x.conf', '[Unit]\nAfter=bootkube.service\n')]),
        };
        expect(verify('multi-user.target', wrong, true)).toMatch(/cycle/i);
      },
    );
    test('and does find a misspelt key', () => {
      const unit = 'edgefab-preload.service';
      const wrong = text('live/edgefab-preload.service').replace('ExecStart=', 'ExecStrat=');
      expect(verify(unit, { [`etc/systemd/system/${unit}`]: wrong })).toContain('ExecStrat');
    });
  },
);

describe('what must hold on the machine', () => {
  test.each(OVERLAY_FILES.filter((name) => !name.endsWith('.sh') && !REQUIRED.includes(name)))(
    '%s requires nothing of edgefab',
    (name) => {
      expect(text(name)).not.toMatch(/^(?:Requires|RequiredBy|BindsTo|Requisite)=/m);
    },
  );
  test('the cache is mounted read-only, without devices, set-uid programs, programs or relabelling', () => {
    const disk = text('scripts/edgefab-disk.sh');
    expect(disk).toContain('nodev,nosuid,noexec');
    expect(disk).toContain('context=system_u:object_r:container_file_t:s0');
    expect(text('scripts/edgefab-cache.sh')).toContain('remount,bind,ro,nodev,nosuid,noexec');
  });
  test.each(SCRIPTS)('%s mounts only by the options above, relabels no disk, needs no jq', (name) => {
    const script = text(name).replace(/^\s*#.*$/gm, '');
    const own = MOUNTS_BOOT.get(name);
    for (const [, options] of script.matchAll(/\bmount -o (\S+)/g))
      if (options !== own)
        expect(options).toMatch(/^(?:"\$\(mount_options|remount,bind,ro,nodev,nosuid,noexec$)/);
    expect(script).not.toMatch(/:[zZ]\b|relabel=(?:private|shared)|chcon.*mount_point/);
    expect(script).not.toMatch(/\b(?:jq|pigz|python3?|perl)\b/);
  });
  test('the registry is confined, on loopback, and its program comes from its own image', () => {
    const script = text('scripts/edgefab-registry.sh');
    expect(script).toContain('--read-only');
    expect(script).toContain('--cap-drop all');
    expect(script).toContain('--entrypoint "$program"');
    expect(script).not.toContain('--privileged');
    expect(script).not.toMatch(/(?:^|[;&|]\s*|exec )"?\$mount_point/m);
    // Confinement is off in one place only, where the labels forbid it, and that is said.
    expect(script.match(/label=disable/g)).toHaveLength(1);
    expect(script).toMatch(/runs unconfined.*\n.*label=disable/);
  });
  test('files are copied from the cache disk, hashed as copies, and never run from there', () => {
    const script = text('scripts/edgefab-files.sh').replace(/^\s*#.*$/gm, '');
    expect(script).not.toMatch(/(?:^|[;&|(]\s*|exec |bash |source )"?\$(?:cache|source|mount_point)\b/m);
    expect(script.indexOf('sha256sum <"$new"')).toBeGreaterThan(0);
    expect(script.indexOf('mv -fT "$new"')).toBeGreaterThan(script.indexOf('sha256sum <"$new"'));
    expect(script).toContain('restorecon');
  });
  test('units run scripts only from /usr/local/bin', () => {
    for (const name of [...UNITS, ...DROPINS])
      for (const [, program = ''] of text(name).matchAll(/^Exec\w+=-?(\S+)/gm))
        if (!PROGRAMS.includes(program.slice(1))) expect(program).toMatch(/^\/usr\/local\/bin\//);
  });
  test('units use nothing that systemd 239 does not know', () => {
    // RHEL 8, which 4.12 is built of: no Type=exec, no restart of a oneshot.
    for (const name of UNITS) {
      expect(text(name)).not.toMatch(/^Type=exec$/m);
      if (/^Type=oneshot$/m.test(text(name))) expect(text(name)).not.toMatch(/^Restart=/m);
    }
  });
  test.each(CACHE_UNITS)('%s outlives the isolation to multi-user.target', (name) => {
    const wanted = name === 'units/edgefab-clock.service' ? 'sysinit' : 'multi-user';
    expect(text(name)).toMatch(new RegExp(`^WantedBy=${wanted}\\.target$`, 'm'));
    if (/^Type=oneshot$/m.test(text(name))) expect(text(name)).toMatch(/^RemainAfterExit=yes$/m);
  });
  test.each(CACHE_UNITS)('%s waits for no network', (name) => {
    expect(text(name)).not.toMatch(/network(?:-online)?\.target|NetworkManager/);
  });
  test('the installed loader runs before all that pulls', () => {
    const before = text('installed/edgefab-preload.service')
      .match(/^Before=.*$/gm)
      ?.join(' ');
    for (const unit of ['machine-config-daemon-pull', 'nodeip-configuration', 'crio'])
      expect(before).toContain(`${unit}.service`);
  });

  const listed = (name: string, key: string): string[] =>
    [...text(name).matchAll(new RegExp(`^${key}=(.*)$`, 'gm'))].flatMap(([, names = '']) => names.split(' '));
  test('the registry is ready before all that pulls, in either phase', () => {
    const before = listed('units/edgefab-registry-ready.service', 'Before');
    const live = ['node-image-pull', 'release-image', 'crio-configure', 'bootkube'];
    const installed = ['machine-config-daemon-pull', 'nodeip-configuration', 'crio', 'kubelet'];
    for (const unit of [...live, ...installed]) expect(before).toContain(`${unit}.service`);
  });
  test('trust is made before the registry is asked, and before those that ask it', () => {
    for (const name of ['units/edgefab-registry-ready.service', 'units/registry-order.conf'])
      for (const key of ['Wants', 'After'])
        expect(listed(name, key)).toContain('coreos-update-ca-trust.service');
  });
  test('files of the config are there before the bootstrap, and a preload finds the disk free', () => {
    const before = listed('live/edgefab-files.service', 'Before');
    const users = ['node-image-pull', 'release-image', 'crio-configure', 'crio', 'kubelet', 'bootkube'];
    for (const unit of [...users, 'install-to-disk', 'edgefab-preload'])
      expect(before).toContain(`${unit}.service`);
    expect(listed('live/edgefab-files.service', 'After')).toContain('edgefab-cache.service');
  });
  test('the clock is right before anything looks at a certificate', () => {
    const before = listed('units/edgefab-clock.service', 'Before');
    for (const unit of ['chronyd', 'coreos-update-ca-trust', 'edgefab-registry', 'kubelet'])
      expect(before).toContain(`${unit}.service`);
  });
  test('whoever closes the cache ends both servers first', () => {
    for (const name of ['units/edgefab-registry.service', 'units/edgefab-registry-v6.service'])
      for (const key of ['PartOf', 'After']) expect(listed(name, key)).toContain('edgefab-cache.service');
  });
  test('every wait ends', () => {
    for (const name of CACHE_UNITS) expect(text(name)).toMatch(/^TimeoutSt(?:art|op)Sec=\d+/m);
  });
});
