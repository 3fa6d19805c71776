import { spawnSync } from 'node:child_process';
import { chmodSync, cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, dirname, join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { OVERLAY_FILES } from '../../src/boot/patch/overlay.ts';

const has = (tool: string): boolean => spawnSync(tool, ['--version']).status === 0;
const SCRIPTS = OVERLAY_FILES.filter((name) => name.endsWith('.sh'));
const UNITS = OVERLAY_FILES.filter((name) => /\.(?:service|path)$/.test(name));
/** Drop-ins of units; the rest of the .conf files are of other programs. */
const DROPINS = OVERLAY_FILES.filter(
  (name) => name.endsWith('.conf') && name !== 'installed/edgefab-networkmanager.conf',
);
/** The guard against a reinstall is there to stop the install: the one thing that is required. */
const GUARD_DROPIN = 'live/reinstall-guard-required.conf';
/** What units run beside the scripts in /usr/local/bin: programs of the system. */
const PROGRAMS = ['usr/sbin/dnsmasq'];
const text = (name: string): string => readFileSync(join('overlays', name), 'utf8');

describe.skipIf(!has('shellcheck'))('shellcheck finds nothing (needs shellcheck)', () => {
  test.each(SCRIPTS)('%s', (name) => {
    const { status, stdout } = spawnSync('shellcheck', [join('overlays', name)], { encoding: 'utf8' });
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
  for (const name of SCRIPTS) put(`usr/local/bin/${name.split('/')[1]}`, text(name));
  put('usr/local/bin/release-image-download.sh', '#!/bin/bash\n');
  for (const name of SCRIPTS) chmodSync(join(root, `usr/local/bin/${name.split('/')[1]}`), 0o755);
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
  put('etc/edgefab/registry.env', 'EDGEFAB_BUILD_ID=x\n');
  put('etc/edgefab/site.env', 'EDGEFAB_SITE=x\n');
  for (const [path, content] of Object.entries(files)) put(path, content);
  return root;
}

function verify(unit: string, files: Record<string, string>): string {
  const root = machineRoot(files);
  try {
    const { stderr, status } = spawnSync(
      'systemd-analyze',
      ['verify', `--root=${root}`, '--man=no', '--recursive-errors=no', `/etc/systemd/system/${unit}`],
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
      const unit = basename(name);
      const others = { 'etc/systemd/system/edgefab-status.service': text('live/edgefab-status.service') };
      expect(verify(unit, { ...others, [`etc/systemd/system/${unit}`]: text(name) })).toBe('');
    });
    test.each(DROPINS)('%s', (name) => {
      const unit = 'release-image.service';
      expect(
        verify(unit, {
          [`etc/systemd/system/${unit}`]: STOCK_RELEASE_IMAGE,
          [`etc/systemd/system/${unit}.d/10.conf`]: text(name),
          'etc/systemd/system/edgefab-preload.service': text('live/edgefab-preload.service'),
          'etc/systemd/system/edgefab-reinstall-guard.service': text('live/edgefab-reinstall-guard.service'),
        }),
      ).toBe('');
    });
    test('and does find a misspelt key', () => {
      const unit = 'edgefab-preload.service';
      const wrong = text('live/edgefab-preload.service').replace('ExecStart=', 'ExecStrat=');
      expect(verify(unit, { [`etc/systemd/system/${unit}`]: wrong })).toContain('ExecStrat');
    });
  },
);

describe('what must hold on the machine', () => {
  test.each(OVERLAY_FILES.filter((name) => !name.endsWith('.sh') && name !== GUARD_DROPIN))(
    '%s requires nothing of edgefab',
    (name) => {
      expect(text(name)).not.toMatch(/^(?:Requires|RequiredBy|BindsTo|Requisite)=/m);
    },
  );
  test('the cache is mounted read-only, without devices, set-uid programs or relabelling', () => {
    const script = text('scripts/edgefab-preload.sh');
    expect(script).toContain('nodev,nosuid');
    expect(script).toContain('context=system_u:object_r:container_file_t:s0');
    expect(script).not.toMatch(/:[zZ]\b/);
    expect(script).not.toMatch(/\b(?:jq|pigz)\b/);
  });
  test('units run scripts only from /usr/local/bin', () => {
    for (const name of [...UNITS, ...DROPINS])
      for (const [, program = ''] of text(name).matchAll(/^Exec\w+=-?(\S+)/gm))
        if (!PROGRAMS.includes(program.slice(1))) expect(program).toMatch(/^\/usr\/local\/bin\//);
  });
  test('the live loader outlives the isolation to multi-user.target', () => {
    expect(text('live/edgefab-preload.service')).toMatch(/^WantedBy=multi-user\.target$/m);
    expect(text('live/edgefab-preload.service')).toMatch(/^RemainAfterExit=yes$/m);
  });
  test('the installed loader runs before all that pulls', () => {
    const before = text('installed/edgefab-preload.service')
      .match(/^Before=.*$/gm)
      ?.join(' ');
    for (const unit of ['machine-config-daemon-pull', 'nodeip-configuration', 'crio'])
      expect(before).toContain(`${unit}.service`);
  });
});
