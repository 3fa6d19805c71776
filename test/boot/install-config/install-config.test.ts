import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { parse } from 'yaml';
import { checkInstaller } from '../../../src/boot/install-config/check-installer.ts';
import { parseCoreosStream } from '../../../src/boot/install-config/coreos-stream.ts';
import { maskInstallConfig } from '../../../src/boot/install-config/mask-install-config.ts';
import {
  type InstallConfigSite,
  renderInstallConfig,
} from '../../../src/boot/install-config/render-install-config.ts';
import { runInstaller } from '../../../src/boot/install-config/run-installer.ts';
import type { Host } from '../../../src/host/host.ts';
import { realHost } from '../../../src/host/real-host.ts';

const TOKEN = 'SFVTSDpIVVNI';
const SITE: InstallConfigSite = {
  clusterName: 'bip',
  domain: 'example.com',
  installDisk: '/dev/disk/by-id/ata-DISK_1',
  pullSecret: `{"auths":{"quay.io":{"auth":"${TOKEN}","email":"a@example.com"}}}\n`,
  sshKeys: ['ssh-ed25519 AAAA core@bip\n', 'ssh-rsa BBBB'],
  machineNetwork: '192.168.86.0/24',
};
const BASE = `# our sites
apiVersion: v1
baseDomain: old.example.com
controlPlane:
  architecture: arm64
  name: master
  replicas: 3
compute:
- name: worker
  replicas: 2
networking:
  networkType: OVNKubernetes # the only one
  machineNetwork:
  - cidr: 10.0.0.0/16
platform:
  none: {}
proxy:
  httpsProxy: http://user:HUSH@proxy.example.com:3128
`;

describe('renderInstallConfig', () => {
  test('puts the site over the base and keeps the rest', () => {
    const text = renderInstallConfig(BASE, SITE);
    expect(parse(text)).toEqual({
      apiVersion: 'v1',
      baseDomain: 'example.com',
      controlPlane: { architecture: 'arm64', name: 'master', replicas: 1 },
      compute: [{ architecture: 'arm64', name: 'worker', replicas: 0 }],
      networking: { networkType: 'OVNKubernetes', machineNetwork: [{ cidr: '192.168.86.0/24' }] },
      platform: { none: {} },
      proxy: { httpsProxy: 'http://user:HUSH@proxy.example.com:3128' },
      metadata: { name: 'bip' },
      bootstrapInPlace: { installationDisk: '/dev/disk/by-id/ata-DISK_1' },
      pullSecret: SITE.pullSecret.trim(),
      sshKey: 'ssh-ed25519 AAAA core@bip\nssh-rsa BBBB',
    });
    expect(text).toContain('# our sites\n');
    expect(text).toContain('networkType: OVNKubernetes # the only one\n');
  });
  test('makes a whole one from nothing, the same each time', () => {
    const text = renderInstallConfig('', SITE);
    expect(parse(text)).toMatchObject({ apiVersion: 'v1', controlPlane: { name: 'master', replicas: 1 } });
    expect(renderInstallConfig('', SITE)).toBe(text);
    expect(renderInstallConfig(text, SITE)).toBe(text);
  });

  const rows: [string, string, Partial<InstallConfigSite>, RegExp][] = [
    [
      'a disk with a shell in it',
      '',
      { installDisk: '/dev/sda; reboot' },
      /bootstrapInPlace\.installationDisk: got "\/dev\/sda; reboot"/,
    ],
    ['a disk that is substituted', '', { installDisk: '/dev/$(reboot)' }, /installationDisk/],
    ['a disk outside /dev', '', { installDisk: '/tmp/x' }, /installationDisk/],
    ['a disk that climbs', '', { installDisk: '/dev/../etc/passwd' }, /installationDisk/],
    ['no disk', '', { installDisk: '' }, /installationDisk: got ""/],
    ['a cluster name in upper case', '', { clusterName: 'Bip' }, /metadata\.name/],
    ['a domain with a space', '', { domain: 'a b' }, /baseDomain/],
    ['a pull secret that is no JSON', '', { pullSecret: 'HUSH' }, /pullSecret: got 4 characters/],
    ['a pull secret without auths', '', { pullSecret: '{"HUSH":1}' }, /want JSON with "auths"/],
    ['a private key', '', { sshKeys: ['-----BEGIN HUSH'] }, /sshKey\[0\]/],
    ['a network without a length', '', { machineNetwork: '10.0.0.0' }, /machineNetwork/],
    ['another platform', 'platform:\n  aws: {}\n', {}, /platform: got aws, want none/],
    ['a base that is a list', '- a\n', {}, /want a mapping/],
    ['a base that is no YAML', 'a: [HUSH\nb: }', {}, /not valid YAML/],
  ];
  test.each(rows)('refuses %s', (_name, base, site, message) => {
    const render = (): string => renderInstallConfig(base, { ...SITE, ...site });
    expect(render).toThrow(
      expect.objectContaining({ code: 'INSTALL_CONFIG_INVALID', message: expect.stringMatching(message) }),
    );
    expect(render).toThrow(/^(?![\s\S]*HUSH)/);
  });
});

test('maskInstallConfig hides what is secret and shows the rest', () => {
  const base = `${BASE}credentials:\n  user: HUSH\nplatformPassword: HUSH\n`;
  const masked = maskInstallConfig(renderInstallConfig(base, SITE));
  expect(masked).not.toMatch(/HUSH|SFVTSD/);
  expect(parse(masked)).toMatchObject({
    pullSecret: '(masked)',
    credentials: '(masked)',
    proxy: { httpsProxy: 'http://(masked)@proxy.example.com:3128' },
    baseDomain: 'example.com',
  });
});

describe("runInstaller, with a stand-in that speaks the installer's command line", () => {
  const installer = resolve('test/support/openshift-install-double.sh');
  let workFolder: string;
  beforeEach(() => {
    workFolder = mkdtempSync(join(tmpdir(), 'edgefab-run-'));
  });
  afterEach(() => {
    // Whatever happened, no secret stays behind.
    const left = readdirSync(workFolder);
    rmSync(workFolder, { recursive: true });
    expect(left).toEqual([]);
  });
  const config = (clusterName = 'bip'): string => renderInstallConfig('', { ...SITE, clusterName });

  test('gives back what the installer made', async () => {
    const seen: string[] = [];
    const host: Pick<Host, 'run'> = {
      run: async (...call) => {
        const result = await realHost.run(...call);
        seen.push(`${call[1].slice(0, 3).join(' ')}`, result.stderr);
        return result;
      },
    };
    const output = await runInstaller(
      { installer, installConfigYaml: config(), version: '4.18.9', workFolder },
      host,
    );
    expect(Buffer.from(output.ignition).toString()).toBe('{"ignition":{"version":"3.2.0"}}');
    expect(Buffer.from(output.kubeconfig).toString()).toBe('made-up kubeconfig\n');
    expect(output.kubeadminPassword).toBe('made-up-password');
    expect(seen).toEqual([
      'version',
      '',
      'create single-node-ignition-config --dir',
      'folder 700\nconfig 600\noverride none',
    ]);
  });

  test('tells the installer which release image to install, when one is named by digest', async () => {
    const said: string[] = [];
    const host: Pick<Host, 'run'> = {
      run: async (program, args, options) => {
        const result = await realHost.run(program, args, options);
        said.push(result.stderr);
        // Nothing secret among what a process list shows.
        expect([program, ...args].join(' ')).not.toContain(TOKEN);
        return result;
      },
    };
    const releaseImage = `mirror.example.com/release@sha256:${'1'.repeat(64)}`;
    await runInstaller({ installer, installConfigYaml: config(), workFolder, releaseImage }, host);
    expect(said.at(-1)).toContain(`override ${releaseImage}`);
  });

  test.each([
    [
      'an installer of another release',
      { version: '4.18.10' },
      'INSTALLER_VERSION_MISMATCH',
      /is of release 4\.18\.9, want 4\.18\.10/,
    ],
    [
      'no installer',
      { installer: '/nonexistent/openshift-install' },
      'TOOL_MISSING',
      /is not there, or not on PATH/,
    ],
    [
      'a file that is no program',
      { installer: resolve('README.md') },
      'TOOL_FAILED',
      /cannot be run: is it executable/,
    ],
    ['a program that says nothing', { installer: '/bin/true' }, 'TOOL_FAILED', /does not say its version/],
    ['a program that fails', { installer: '/bin/false' }, 'TOOL_FAILED', /version ended with status 1/],
    [
      'an installer for another architecture',
      { version: '4.18.9', arch: 'arm64' },
      'INSTALLER_VERSION_MISMATCH',
      /is of release 4\.18\.9 for amd64, want one for arm64/,
    ],
    [
      'an installer that fails',
      { installConfigYaml: config('fails') },
      'TOOL_FAILED',
      /ended with status 3:[\s\S]*pullSecret: Invalid value/,
    ],
    [
      'an installer that makes nothing',
      { installConfigYaml: config('lazy') },
      'TOOL_FAILED',
      /made no bootstrap-in-place-for-live-iso\.ign/,
    ],
  ])('tells of %s, without a secret', async (_name, change, code, message) => {
    const run = { installer, installConfigYaml: config(), workFolder, ...change };
    await expect(runInstaller(run, realHost)).rejects.toMatchObject({
      code,
      message: expect.stringMatching(message),
    });
    await expect(runInstaller(run, realHost)).rejects.toThrow(new RegExp(`^(?![\\s\\S]*${TOKEN})`));
  });
});

describe('checkInstaller', () => {
  const digest = `sha256:${'a'.repeat(64)}`;
  const saying = (stdout: string): Pick<Host, 'run'> => ({
    run: async () => ({ exitCode: 0, stdout, stderr: '' }),
  });
  const installer = '/opt/my tools/openshift-install';
  const first = `${installer} 4.18.9\nbuilt from commit 1\n`;
  test.each<[string, string, object, RegExp | undefined]>([
    [
      'the right digest',
      `${first}release image quay.io/a/b@${digest}\n`,
      { releaseDigest: digest },
      undefined,
    ],
    [
      'a digest on a mirror',
      `${first}release image mirror:5000/b@${digest}\n`,
      { releaseDigest: digest },
      undefined,
    ],
    [
      'another digest',
      `${first}release image quay.io/a/b@sha256:${'b'.repeat(64)}\n`,
      { releaseDigest: digest },
      /release 4\.18\.9 with the release image quay\.io\/a\/b@sha256:b+, want sha256:a+/,
    ],
    [
      'a tag, which says nothing',
      `${first}release image ci/release:4.18\n`,
      { releaseDigest: digest },
      undefined,
    ],
    ['no release image', first, { releaseDigest: digest, version: '4.18.9' }, undefined],
    ['a multi-architecture release', `${first}release architecture multi\n`, { arch: 'arm64' }, undefined],
    ['a version with a v', 'openshift-install v4.18.9\n', { version: '4.18.9' }, undefined],
    [
      'an unreleased one',
      'openshift-install unreleased-master-1-g2\n',
      { version: '4.18.9' },
      /unreleased-master-1-g2, want 4\.18\.9/,
    ],
    ['nothing', '', {}, /does not say its version/],
  ])('%s', async (_name, stdout, wanted, message) => {
    const checking = checkInstaller({ installer, ...wanted }, saying(stdout));
    if (message === undefined) await expect(checking).resolves.toHaveProperty('version', '4.18.9');
    else await expect(checking).rejects.toThrow(message);
  });
  test('one that is absent: says who gets it', async () => {
    await expect(checkInstaller({ installer: '/nonexistent/i' }, realHost)).rejects.toMatchObject({
      code: 'TOOL_MISSING',
      suggestions: [expect.stringContaining('edgefab fetch'), expect.any(String)],
    });
  });
});

describe('parseCoreosStream', () => {
  const disk = { location: 'https://x/rhcos-live.iso', sha256: 'a'.repeat(64) };
  const document = (artifacts: object): string =>
    JSON.stringify({ architectures: { x86_64: { artifacts } } });
  test('finds the live ISO among the rest', () => {
    const metal = {
      release: '9.6.1-0',
      formats: { pxe: { rootfs: disk }, iso: { disk }, 'raw.gz': { disk } },
    };
    const aws = { release: '9.6.1-0', formats: { 'vmdk.gz': { disk } } };
    expect(parseCoreosStream(document({ aws, metal }), 'x86_64', 'it')).toEqual({
      ...disk,
      release: '9.6.1-0',
    });
  });
  test.each<[string, string, RegExp]>([
    ['text', 'level=fatal', /it: what it printed is not JSON/],
    ['another document', '{"architectures":[]}', /it: the CoreOS stream: architectures/],
    [
      'another architecture',
      '{"architectures":{"s390x":{"artifacts":{}}}}',
      /it knows no x86_64, only s390x/,
    ],
    ['a name that every object has', '{"architectures":{}}', /it knows no x86_64/],
    ['no ISO', document({ metal: { release: '1', formats: {} } }), /it knows no live ISO for x86_64/],
    [
      'a sum that is none',
      document({ metal: { release: '1', formats: { iso: { disk: { ...disk, sha256: '../' } } } } }),
      /sha256: Invalid/,
    ],
  ])('refuses %s', (_name, json, message) => {
    expect(() => parseCoreosStream(json, 'x86_64', 'it')).toThrow(message);
  });
});
