import { X509Certificate } from 'node:crypto';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { parse as parseToml } from 'smol-toml';
import { expect, test } from 'vitest';
import { parse as parseYaml } from 'yaml';
import { registryValidity } from '../../../src/boot/certs/registry-ca.ts';
import { renderKeyfiles } from '../../../src/boot/network/render-keyfiles.ts';
import { loadOverlays, OVERLAY_FILES, type OverlayFile } from '../../../src/boot/patch/overlay.ts';
import { patchIgnition } from '../../../src/boot/patch/patch-ignition.ts';
import { checkRegistryPort, REGISTRY_PORT } from '../../../src/boot/patch/registry-settings.ts';
import { REINSTALL_KARG } from '../../../src/boot/patch/reinstall-guard.ts';
import IgnitionPatch from '../../../src/commands/ignition/patch.ts';
import { MAKE_XFS } from '../../../src/disk/cache/make-xfs.ts';
import { cacheLabel } from '../../../src/factory/site-patch.ts';
import { bipIgnition } from '../../support/bip-ignition.ts';
import { CA_KEY, CERTIFICATES, fullPatch } from '../../support/full-patch.ts';
import { type PatchedMachine, type Phase, patchedMachines } from '../../support/patched-machine.ts';
import { BUILD_TIME } from '../../support/registry-ca.ts';
import { MAC, network, V4 } from '../network/shapes.ts';

const machines = await patchedMachines();
const overlays = await loadOverlays();
const script = (name: string): string => overlays[`scripts/${name}` as OverlayFile];
const phases = ({ live, node }: PatchedMachine): Phase[] => [live, node];

/** The values of a key in a unit's text, split at spaces. */
function listed(unit: string, key: string): string[] {
  return [...unit.matchAll(new RegExp(`^${key}=(.*)$`, 'gm'))].flatMap(([, names = '']) => names.split(' '));
}

function setting(phase: Phase, name: string, file = 'registry.env'): string | undefined {
  return new RegExp(`^EDGEFAB_${name}=(.*)$`, 'm').exec(phase.text(`/etc/edgefab/${file}`))?.[1];
}

/** Every text of src/. */
function sources(folder = 'src'): string[] {
  return readdirSync(folder, { recursive: true, encoding: 'utf8' })
    .filter((name) => name.endsWith('.ts'))
    .map((name) => readFileSync(join(folder, name), 'utf8'));
}

interface Point {
  readonly number: number;
  readonly words: string;
  /** Looks at a machine, of every line and with the cache on either disk. */
  readonly holds: (machine: PatchedMachine) => void | Promise<void>;
  /** The tests that show it by running it. */
  readonly shownBy: readonly string[];
}

const POINTS: readonly Point[] = [
  {
    number: 1,
    words:
      'the registry is a distribution image of its own, pinned by digest, from its dir view, read-only, by our entry point',
    holds: (machine) => {
      for (const phase of phases(machine)) {
        expect(setting(phase, 'TOOL_IMAGE')).toMatch(/@sha256:[0-9a-f]{64}$/);
        expect(setting(phase, 'TOOL_VIEW')).toMatch(/^views\/dir\//);
        expect(parseYaml(phase.text('/etc/edgefab/registry.yml'))).toMatchObject({
          storage: { maintenance: { readonly: { enabled: true } }, delete: { enabled: false } },
        });
        const run = phase.text('/usr/local/bin/edgefab-registry.sh');
        expect(run).toContain('--entrypoint "$program"');
        expect(run).toContain('"dir:$mount_point/$view"');
      }
    },
    shownBy: ['test/overlays/registry.test.ts'],
  },
  {
    number: 2,
    words: 'registry is the default on every version, and what preload still asks a network for is counted',
    holds: ({ live, node }) => {
      expect(IgnitionPatch.flags['cache-mode'].default).toBe('registry');
      for (const phase of [live, node]) expect(phase.units).toContain('edgefab-registry.service');
    },
    shownBy: ['test/mirror/plan/preload-network.test.ts', 'test/e2e/patch-plain.test.ts'],
  },
  {
    number: 3,
    words:
      'a cache on the install disk is let go just before coreos-installer writes, and at no earlier time',
    holds: ({ live, location }) => {
      const wrapper = '/usr/local/bin/coreos-installer';
      expect(live.has(wrapper)).toBe(location === 'installDisk');
      // Nothing else in the live system closes the cache.
      const closers = live.paths.filter(
        (path) => path.startsWith('/usr/local/bin/edgefab-') && / close\b/.test(live.text(path)),
      );
      expect(closers).toEqual(['/usr/local/bin/edgefab-cache.sh']);
      if (location === 'usb') return;
      const text = live.text(wrapper);
      const order = [
        'systemctl stop',
        '" close',
        'udevadm settle',
        'is_free "$device"',
        'exec "$real" "$@"\n',
      ];
      const at = order.map((part) => text.lastIndexOf(part));
      expect(at).toEqual([...at].sort((a, b) => a - b));
      expect(at.every((position) => position > 0)).toBe(true);
      expect(live.unit('install-to-disk.service')).toMatch(/PATH=\S*\/usr\/local\/bin:\S*\/usr\/bin/);
      expect(live.mode(wrapper)).toBe(0o755);
      for (const unit of ['edgefab-cache', 'edgefab-registry', 'edgefab-registry-v6'])
        expect(live.unit(`${unit}.service`)).toContain('ConditionPathExists=!/run/edgefab/cache.released');
    },
    shownBy: ['test/overlays/release-cache.test.ts'],
  },
  {
    number: 4,
    words: 'whatever makes an XFS names its features, so that the kernels of 4.12 to 4.15 can mount it',
    holds: () => {
      for (const feature of ['bigtime=0', 'inobtcount=0', 'nrext64=0', 'rmapbt=0', 'crc=1'])
        expect(MAKE_XFS).toContain(feature);
      // No other place makes one, or tells a person to.
      const makers = [...sources(), ...Object.values(overlays), readFileSync('docs/cache.md', 'utf8')];
      for (const [call] of makers.flatMap((maker) => [...maker.matchAll(/\bmkfs\.xfs -.*/g)]))
        expect(call).toContain(MAKE_XFS);
    },
    shownBy: [
      'test/disk/cache/cache-device.test.ts',
      'test/disk/cache/xfs-features.test.ts',
      'test/disk/partition/partition-disk.test.ts',
    ],
  },
  {
    number: 5,
    words:
      'the node gets its own copy of a USB cache and says when the disk may go; nothing there requires a unit of edgefab',
    holds: ({ node, location }) => {
      const copies = node.units.includes('edgefab-keep-cache.service');
      expect(copies).toBe(location === 'usb');
      if (copies)
        expect(node.text('/usr/local/bin/edgefab-keep-cache.sh')).toContain('the cache disk may be removed');
      for (const name of node.units)
        expect(node.unit(name)).not.toMatch(/^(?:Requires|Requisite|BindsTo|RequiredBy|RequiresMountsFor)=/m);
      expect(node.unit('edgefab-cache.service')).toMatch(/^Environment=EDGEFAB_WAIT_SECONDS=60$/m);
    },
    shownBy: [
      'test/overlays/keep-cache.test.ts',
      'test/overlays/drop-cache.test.ts',
      'test/overlays/lint.test.ts',
    ],
  },
  {
    number: 6,
    words: 'the cache is mounted with a label containers may read, nothing is relabelled or run from it',
    holds: (machine) => {
      for (const phase of phases(machine)) {
        const disk = phase.text('/usr/local/bin/edgefab-disk.sh');
        expect(disk).toContain('nodev,nosuid,noexec');
        expect(disk).toContain('context=system_u:object_r:container_file_t:s0');
        for (const path of phase.paths.filter((each) => each.startsWith('/usr/local/bin/edgefab-')))
          expect(phase.text(path).replace(/^\s*#.*$/gm, '')).not.toMatch(
            /:[zZ]\b|relabel=(?:private|shared)/,
          );
        for (const name of phase.units.filter((each) => each.startsWith('edgefab-')))
          for (const [, program] of phase.unit(name).matchAll(/^Exec\w+=-?(\S+)/gm))
            expect(program).toMatch(/^\/usr\/(?:local\/bin\/edgefab-|sbin\/dnsmasq$)/);
        expect(phase.text('/usr/local/bin/edgefab-registry.sh')).toContain('--security-opt=label=disable');
      }
    },
    shownBy: [
      'test/overlays/cache.test.ts',
      'test/overlays/registry-faults.test.ts',
      'test/overlays/lint.test.ts',
    ],
  },
  {
    number: 7,
    words: "the registry's image store is its own, and is made anew when it is damaged",
    holds: (machine) => {
      for (const phase of phases(machine)) {
        const run = phase.text('/usr/local/bin/edgefab-registry.sh');
        expect(run).toContain('store=/var/lib/edgefab/storage');
        expect(run).toContain('podman --root "$store" --runroot "$run_root"');
        expect(run).toContain('store_is_sound || load_image');
      }
    },
    shownBy: ['test/overlays/registry.test.ts'],
  },
  {
    number: 8,
    words:
      'signatures are served beside their images, and from 4.21 on the one of the release is asked for by the proof',
    holds: ({ live }) => {
      const { registry } = parseToml(live.text('/etc/containers/registries.conf')) as {
        registry: { location: string; blocked?: boolean; mirror: { location: string }[] }[];
      };
      // A signature is fetched from the place that served its image: the mirror is that place.
      for (const { mirror } of registry) expect(mirror[0]?.location).toMatch(/^localhost:22626\//);
    },
    shownBy: [
      'test/mirror/store/registry-view/served-view.test.ts',
      'test/boot/patch/mirrors-pull.test.ts',
      'test/factory/coverage.test.ts',
    ],
  },
  {
    number: 9,
    words:
      'the registry listens on loopback alone, what that is not enough for is said, and cache.serve is refused',
    holds: (machine) => {
      for (const phase of phases(machine)) {
        const { http } = parseYaml(phase.text('/etc/edgefab/registry.yml'));
        expect(http.addr).toBe('127.0.0.1:22626');
        expect(phase.text('/usr/local/bin/edgefab-registry.sh')).toContain(
          'REGISTRY_HTTP_ADDR=\\"[::1]:$port\\"',
        );
      }
      const page = readFileSync('docs/patch.md', 'utf8');
      for (const word of ['What loopback is not enough for', 'must-gather', 'driver-toolkit', 'cache.serve'])
        expect(page).toContain(word);
      expect(readFileSync('src/factory/refuse-unsupported.ts', 'utf8')).toContain("'cache.serve'");
    },
    shownBy: ['test/overlays/registry.test.ts'],
  },
  {
    number: 10,
    words:
      'with the line cut api, api-int and *.apps are found: in hosts while installing, by dnsmasq on the node',
    holds: ({ live, node }) => {
      expect(live.text('/etc/hosts')).toContain('192.168.86.45 api.bip.example.com api-int.bip.example.com');
      const conf = node.text('/etc/edgefab/dnsmasq.conf');
      for (const name of ['api', 'api-int', 'apps'])
        expect(conf).toContain(`address=/${name}.bip.example.com/192.168.86.45`);
      expect(node.mode('/etc/NetworkManager/dispatcher.d/60-edgefab-resolv')).toBe(0o755);
      expect(listed(node.unit('edgefab-dns.service'), 'Before')).toContain('kubelet.service');
      expect(readFileSync('docs/network.md', 'utf8')).toMatch(/without carrier no address/);
    },
    shownBy: ['test/boot/patch/local-dns.test.ts', 'test/overlays/resolv.test.ts'],
  },
  {
    number: 11,
    words:
      'operators can be installed: catalogs by digest without polling, mirrors for every repository, tags from 4.13 on',
    holds: async ({ version, manifests, ignition }) => {
      const ofKind = (kind: string) => manifests.filter((manifest) => manifest.kind === kind);
      expect(ofKind('OperatorHub')).toMatchObject([{ spec: { disableAllDefaultSources: true } }]);
      const catalogs = ofKind('CatalogSource');
      expect(catalogs).toMatchObject([
        { spec: { sourceType: 'grpc', image: expect.stringMatching(/@sha256:/) } },
      ]);
      expect(JSON.stringify(catalogs)).not.toMatch(/registryPoll|updateStrategy/);
      const { registry } = fullPatch(ignition, { version });
      const kind = version.startsWith('4.12.') ? 'ImageContentSourcePolicy' : 'ImageDigestMirrorSet';
      const mirrors = JSON.stringify(ofKind(kind));
      expect(registry?.repositories.length).toBeGreaterThan(3);
      for (const { source, mirror } of registry?.repositories ?? [])
        expect(mirrors).toContain(`{"source":"${source}","mirrors":["${mirror}"]}`);
      expect(ofKind('ImageTagMirrorSet')).toHaveLength(version.startsWith('4.12.') ? 0 : 1);
      const tagged = bipIgnition({ releaseImage: 'quay.io/made-up/release:4.18' });
      await expect(patchIgnition(tagged, fullPatch(ignition, { version }))).rejects.toMatchObject({
        code: 'MODE_UNSUPPORTED',
        message: expect.stringContaining('by tag'),
      });
    },
    shownBy: [
      'test/boot/patch/catalog-sources.test.ts',
      'test/boot/patch/registry-mirrors.test.ts',
      'test/boot/patch/registry-mirrors-refused.test.ts',
    ],
  },
  {
    number: 12,
    words:
      'a clock that is earlier than the build is set to it before anything looks at a certificate; the CA outlives both ends',
    holds: (machine) => {
      for (const phase of phases(machine)) {
        const clock = phase.unit('edgefab-clock.service');
        const before = listed(clock, 'Before');
        for (const unit of ['chronyd', 'edgefab-registry', 'kubelet', 'coreos-update-ca-trust'])
          expect(before).toContain(`${unit}.service`);
        expect(setting(phase, 'BUILD_TIME')).toBe(String(BUILD_TIME.getTime() / 1000));
      }
      const { notBefore, notAfter } = registryValidity(BUILD_TIME);
      expect(notBefore.getUTCFullYear()).toBeLessThanOrEqual(BUILD_TIME.getUTCFullYear() - 10);
      expect(notAfter.getUTCFullYear()).toBeGreaterThanOrEqual(BUILD_TIME.getUTCFullYear() + 20);
    },
    shownBy: ['test/overlays/clock.test.ts', 'test/boot/certs/registry-ca.test.ts'],
  },
  {
    number: 13,
    words:
      'a boot stick left in does not wipe the node it made: a guard before the whole install, and the disk first in the boot order',
    holds: ({ live, version }) => {
      const begins = ['release-image', 'kubelet', 'bootkube', 'install-to-disk'];
      if (version.startsWith('4.21.')) begins.push('node-image-pull');
      for (const unit of begins)
        for (const key of ['Requires', 'After'])
          expect(listed(live.unit(`${unit}.service`), key)).toContain('edgefab-reinstall-guard.service');
      expect(live.text('/usr/local/bin/edgefab-reinstall-guard.sh')).toContain(REINSTALL_KARG);
      expect(live.text('/usr/local/bin/edgefab-after-install.sh')).toContain('efibootmgr');
      expect(live.unit('install-to-disk.service')).toContain(
        'ExecStopPost=-/usr/local/bin/edgefab-after-install.sh',
      );
      expect(setting(live, 'BUILD_ID', 'site.env')).toBe('b-1');
    },
    shownBy: ['test/overlays/reinstall-guard.test.ts'],
  },
  {
    number: 14,
    words: 'a network card is found by its MAC address in both phases, and the host name is the same in both',
    holds: ({ live, node }) => {
      const [keyfile] = renderKeyfiles(network([{ mac: MAC, ...V4 }]));
      expect(keyfile?.text.toLowerCase()).toContain(`mac-address=${MAC}`);
      expect(keyfile?.text).not.toContain('interface-name=');
      const path = '/etc/NetworkManager/system-connections/edgefab-lan.nmconnection';
      expect(node.mode(path)).toBe(0o600);
      expect(node.text('/etc/hostname')).toBe(live.text('/etc/hostname'));
    },
    shownBy: [
      'test/boot/network/render-keyfiles.test.ts',
      'test/boot/network/network-kargs.test.ts',
      'test/e2e/site.test.ts',
    ],
  },
  {
    number: 15,
    words:
      'trust is there in time: all that pulls waits for the system trust and a registry that was asked under it',
    holds: ({ live, node, version }) => {
      const pulls: [Phase, string][] = [
        [live, 'release-image.service'],
        [live, 'bootkube.service'],
        ...(version.startsWith('4.21.') ? [[live, 'node-image-pull.service'] as [Phase, string]] : []),
        [node, 'machine-config-daemon-pull.service'],
      ];
      for (const [phase, unit] of pulls)
        for (const key of ['Wants', 'After'])
          expect([unit, listed(phase.unit(unit), key)]).toEqual([
            unit,
            expect.arrayContaining(['coreos-update-ca-trust.service', 'edgefab-registry-ready.service']),
          ]);
      for (const phase of [live, node]) {
        expect(phase.mode('/etc/containers/certs.d/localhost:22626/ca.crt')).toBe(0o644);
        expect(phase.text('/usr/local/bin/edgefab-registry-ready.sh')).not.toMatch(
          /--cacert|--insecure|curl .*-k\b/,
        );
      }
      expect(live.mode('/etc/containers/registries.conf')).toBe(0o644);
      expect(node.has('/etc/containers/registries.conf')).toBe(false);
    },
    shownBy: [
      'test/overlays/registry.test.ts',
      'test/overlays/lint.test.ts',
      'test/boot/patch/mirrors-pull.test.ts',
    ],
  },
  {
    number: 16,
    words:
      'no payload byte comes from elsewhere: every repository has a mirror for digests, time and names only servers that were given',
    holds: ({ live, node, version, ignition }) => {
      const { registry: tables } = parseToml(live.text('/etc/containers/registries.conf')) as {
        registry: { location: string; 'mirror-by-digest-only'?: boolean }[];
      };
      for (const { source } of fullPatch(ignition, { version }).registry?.repositories ?? [])
        expect(tables.find(({ location }) => location === source)).toMatchObject({
          'mirror-by-digest-only': true,
        });
      for (const phase of [live, node]) {
        const chrony = phase.text('/etc/chrony.conf');
        expect(chrony.match(/^(?:server|pool|peer) .*$/gm)).toEqual(['server 10.0.0.1 iburst']);
      }
      expect(node.text('/etc/edgefab/dnsmasq.conf')).not.toMatch(/^server=/m);
    },
    shownBy: ['test/boot/patch/mirrors-pull.test.ts', 'test/overlays/registry.test.ts'],
  },
  {
    number: 17,
    words:
      'the port is free on a single node, on both loopback addresses, and mirrors are localhost:PORT/HOST/PATH',
    holds: (machine) => {
      expect(checkRegistryPort(REGISTRY_PORT)).toBe(22626);
      for (const port of [6443, 22623, 22624, 22625, 9000, 9999, 10250, 10259, 30000, 32767, 32768, 60999])
        expect(() => checkRegistryPort(port)).toThrow(expect.objectContaining({ code: 'USAGE_INVALID' }));
      for (const phase of phases(machine)) {
        expect(setting(phase, 'PORT')).toBe('22626');
        expect(phase.text('/usr/local/bin/edgefab-registry.sh')).toContain('--network host');
        expect(phase.units).toContain('edgefab-registry-v6.service');
      }
      const conf = machine.live.text('/etc/containers/registries.conf');
      expect(conf).toContain('"localhost:22626/quay.io/made-up/release"');
      expect(conf).toContain('"localhost:22626/registry.example.com__5000/own/tools"');
    },
    shownBy: ['test/boot/patch/registry-settings.test.ts', 'test/overlays/registry.test.ts'],
  },
  {
    number: 18,
    words:
      "the whole cache is mounted into the server and the view is its root, so that the view's links lead somewhere",
    holds: (machine) => {
      for (const phase of phases(machine)) {
        const { storage } = parseYaml(phase.text('/etc/edgefab/registry.yml'));
        expect(storage.filesystem.rootdirectory).toBe('/cache/views/registry');
        expect(phase.text('/usr/local/bin/edgefab-registry.sh')).toContain(
          'source=$mount_point,destination=/cache,ro=true',
        );
      }
    },
    shownBy: ['test/overlays/registry.test.ts', 'test/mirror/store/registry-view/served-view.test.ts'],
  },
  {
    number: 19,
    words:
      'a cache is known by label and id, two of them stop, other sectors are explained, a dirty log is no obstacle',
    holds: (machine) => {
      const labelOf = (location: 'usb' | 'installDisk'): string => cacheLabel({ cache: { location } });
      expect([labelOf('usb'), labelOf('installDisk')]).toEqual(['edgefab', 'edgefab-node']);
      for (const phase of phases(machine)) {
        expect(setting(phase, 'LABEL')).toBe(labelOf(machine.location));
        expect(setting(phase, 'CACHE_ID')).toBe('cache-1');
        const disk = phase.text('/usr/local/bin/edgefab-disk.sh');
        for (const part of ['more than one cache disk', 'norecovery', 'sectorSize', 'foreign_tables'])
          expect(disk).toContain(part);
      }
      // What the copy on the node leaves to the system.
      expect(script('edgefab-keep-cache.sh')).toContain('40 * 1073741824');
    },
    shownBy: ['test/overlays/cache.test.ts', 'test/overlays/keep-cache.test.ts'],
  },
  {
    number: 20,
    words:
      "the RAM of both modes is counted; the CA's key is nowhere, its constraints are critical, the server's key is for root alone",
    holds: ({ live, node, ignition }) => {
      const holders = (phase: Phase): string[] =>
        phase.paths.filter((path) => path.startsWith('/etc/') && phase.text(path).includes('PRIVATE KEY'));
      for (const phase of [live, node]) {
        expect(holders(phase)).toEqual(['/etc/edgefab/tls/registry.key']);
        expect(phase.mode('/etc/edgefab/tls/registry.key')).toBe(0o600);
        expect(phase.text('/etc/edgefab/tls/registry.key')).toBe(CERTIFICATES.keyPem);
      }
      for (const line of CA_KEY.split('\n').slice(1, -2)) expect(ignition.text).not.toContain(line);
      expect(new X509Certificate(CERTIFICATES.caPem).ca).toBe(true);
    },
    shownBy: [
      'test/mirror/plan/live-phase.test.ts',
      'test/boot/certs/registry-ca.test.ts',
      'test/boot/certs/registry-ca-folder.test.ts',
    ],
  },
];

test('there are twenty points, each with a test that runs it', () => {
  expect(POINTS.map(({ number }) => number)).toEqual(Array.from({ length: 20 }, (_none, index) => index + 1));
  for (const { number, shownBy } of POINTS) {
    expect([number, shownBy.length]).toEqual([number, expect.any(Number)]);
    for (const path of shownBy) expect([path, existsSync(path)]).toEqual([path, true]);
  }
});

test.each(POINTS)('$number: $words', async ({ holds }) => {
  for (const machine of machines) await holds(machine);
});

test('every overlay file reaches a machine', () => {
  const texts = new Set(
    machines.flatMap((machine) =>
      phases(machine).flatMap((phase) => phase.paths.map((path) => phase.text(path))),
    ),
  );
  const scripts = OVERLAY_FILES.filter((name) => name.endsWith('.sh'));
  const unused = scripts.filter((name) => !texts.has(overlays[name]));
  // Those of preload mode, and that of configs which do not fit on the stick.
  expect(unused).toEqual([
    'scripts/edgefab-preload.sh',
    'scripts/edgefab-release-image.sh',
    'scripts/edgefab-files.sh',
  ]);
});
