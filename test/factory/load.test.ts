import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { renderKeyfiles } from '../../src/boot/network/render-keyfiles.ts';
import { EdgefabError } from '../../src/errors.ts';
import { loadFactory } from '../../src/factory/load.ts';
import { missingFiles } from '../../src/factory/missing-files.ts';
import { factoryFolder } from '../support/factory-folder.ts';

const host = { homeDir: '/home/tech' };

const HEAD = `apiVersion: edgefab.io/v1
kind: Factory
release: { version: 4.18.9 }
installConfig: install-config.yaml
defaults:
  domain: edge.example.com
  installDisk: { path: /dev/sda }
`;

async function load(text: string, files: Record<string, string> = {}) {
  const folder = factoryFolder({ 'factory.yaml': text, ...files });
  return { folder, factory: await loadFactory(join(folder, 'factory.yaml'), host) };
}

/** The faults of a factory, its folder taken out of the paths. */
async function faults(text: string, files: Record<string, string> = {}): Promise<string[]> {
  const folder = factoryFolder({ 'factory.yaml': text, ...files });
  const error = await loadFactory(join(folder, 'factory.yaml'), host).then(
    () => expect.fail('was accepted'),
    (thrown: unknown) => thrown,
  );
  if (!(error instanceof EdgefabError)) throw error;
  expect(error).toMatchObject({ code: 'FACTORY_INVALID', exitCode: 3 });
  const [, ...lines] = error.message.replaceAll(`${folder}/`, '').split('\n');
  expect(error.faults).toHaveLength(lines.length);
  return lines.map((line) => line.trim());
}

test('the example of the design, whole', async () => {
  const { folder, factory } = await load(`apiVersion: edgefab.io/v1
kind: Factory
release: { version: 4.18.9, channel: stable-4.18, arch: x86_64 }
imageSet: imagesets/4.18.yaml
installConfig: install-config.yaml
pullSecret: { file: ~/.config/edgefab/pull-secret.json }
sshKeys: [{ file: ~/.ssh/id_ed25519.pub }, ssh-ed25519 AAAA tech]
media: { liveIso: media/rhcos-live.x86_64.iso }
defaults:
  domain: edge.example.com
  installDisk: { path: /dev/sda }
  cache: { mode: registry, location: usb, keepOnNode: true }
  dns: local
  ntp: { servers: [10.0.0.1] }
  certificates: { validFor: 30d, shelfLife: 7d }
  overlays: [overlays/site-common.bu]
sites:
  - name: bip
    machine: { ramMiB: 32768 }
    network: { mac: "28:D2:44:D3:EF:1C", address: 192.168.86.45/24, gateway: 192.168.86.1, dns: [192.168.86.27] }
`);
  const { files, ...rest } = factory;
  expect(rest).toEqual({
    file: join(folder, 'factory.yaml'),
    release: { version: '4.18.9', channel: 'stable-4.18', arch: 'x86_64' },
    imageSet: join(folder, 'imagesets/4.18.yaml'),
    installConfig: join(folder, 'install-config.yaml'),
    pullSecret: { file: '/home/tech/.config/edgefab/pull-secret.json' },
    sshKeys: [{ file: '/home/tech/.ssh/id_ed25519.pub' }, 'ssh-ed25519 AAAA tech'],
    media: { liveIso: join(folder, 'media/rhcos-live.x86_64.iso') },
    paths: { cache: join(folder, 'cache'), out: join(folder, 'out'), lock: join(folder, 'edgefab.lock') },
    registry: {},
    sites: [
      {
        name: 'bip',
        clusterName: 'bip',
        domain: 'edge.example.com',
        hostname: 'bip',
        machine: { ramMiB: 32768 },
        installDisk: { path: '/dev/sda' },
        cache: { mode: 'registry', location: 'usb', keepOnNode: true },
        dns: 'local',
        network: {
          interfaces: [
            {
              mac: '28:d2:44:d3:ef:1c',
              addresses: ['192.168.86.45/24'],
              gateway: '192.168.86.1',
              dhcp: false,
            },
          ],
          dns: ['192.168.86.27'],
        },
        ntp: { servers: ['10.0.0.1'] },
        certificates: { validForMs: 2_592_000_000, shelfLifeMs: 604_800_000 },
        overlays: [join(folder, 'overlays/site-common.bu')],
        manifests: [],
        kargs: { append: [], delete: [] },
        place: { file: join(folder, 'factory.yaml'), line: 18, col: 5, field: 'sites[0]' },
      },
    ],
  });
  expect(files.map(({ path, place }) => [path.replace(folder, ''), place.line, place.field])).toEqual([
    ['/imagesets/4.18.yaml', 4, 'imageSet'],
    ['/install-config.yaml', 5, 'installConfig'],
    ['/home/tech/.config/edgefab/pull-secret.json', 6, 'pullSecret.file'],
    ['/home/tech/.ssh/id_ed25519.pub', 7, 'sshKeys[0].file'],
    ['/media/rhcos-live.x86_64.iso', 8, 'media.liveIso'],
    ['/overlays/site-common.bu', 16, 'defaults.overlays[0]'],
  ]);
});

describe('fills in', () => {
  test.each<[string, string, unknown]>([
    [
      'the channel of a version',
      '{ version: 4.21.3 }',
      { version: '4.21.3', channel: 'stable-4.21', arch: 'x86_64' },
    ],
    [
      'an image by digest',
      `{ image: "quay.io/okd/scos-release@sha256:${'a'.repeat(64)}", arch: aarch64 }`,
      {
        arch: 'aarch64',
        image: { domain: 'quay.io', path: 'okd/scos-release', digest: `sha256:${'a'.repeat(64)}` },
      },
    ],
  ])('%s', async (_name, release, want) => {
    const text = `${HEAD.replace('{ version: 4.18.9 }', release)}sites: [{ name: a }]\n`;
    expect((await load(text)).factory.release).toEqual(want);
  });

  test('a site with a ready ignition needs neither domain, disk nor install-config', async () => {
    const { folder, factory } = await load(
      'apiVersion: edgefab.io/v1\nkind: Factory\nrelease: { version: 4.18.9 }\nsites: [{ name: a, ignition: a.ign }]\n',
    );
    expect(factory.sites[0]).toMatchObject({ ignition: join(folder, 'a.ign'), hostname: 'a' });
    expect(factory.sites[0]).not.toHaveProperty('network');
  });

  test('a factory in JSON', async () => {
    const json = {
      apiVersion: 'edgefab.io/v1',
      kind: 'Factory',
      release: { version: '4.18.9' },
      sites: [{ name: 'a', ignition: '/x/a.ign' }],
    };
    expect((await load(JSON.stringify(json))).factory.sites[0]?.ignition).toBe('/x/a.ign');
  });
});

describe('merges defaults', () => {
  const text = `${HEAD}  cache: { location: installDisk, keepOnNode: false }
  kargs: { append: [quiet] }
  network: { gateway: 10.0.0.1, dns: [10.0.0.2] }
sites:
  - name: a
    network: { mac: "02:00:00:00:00:01", address: 10.0.0.11/24 }
    cache: { keepOnNode: true }
  - name: b
    installDisk: { byId: ata-X }
    kargs: { append: [debug], delete: [quiet] }
    network: { interfaces: [{ name: eth0, dhcp: true }] }
`;

  test.each<[string, number, unknown]>([
    [
      'maps key by key',
      0,
      {
        cache: { mode: 'registry', location: 'installDisk', keepOnNode: true },
        network: { interfaces: [{ gateway: '10.0.0.1', addresses: ['10.0.0.11/24'] }], dns: ['10.0.0.2'] },
        kargs: { append: ['quiet'], delete: [] },
      },
    ],
    [
      'lists and the other form of a key replaced',
      1,
      {
        installDisk: { byId: 'ata-X' },
        kargs: { append: ['debug'], delete: ['quiet'] },
        network: { interfaces: [{ name: 'eth0', addresses: [], dhcp: true }], dns: ['10.0.0.2'] },
      },
    ],
  ])('%s', async (_name, index, want) => {
    const site = (await load(text)).factory.sites[index];
    expect(site).toMatchObject(want as object);
  });
});

test('all faults together, in the order of the file', async () => {
  const text = `apiVersion: edgefab.io/v1
kind: Factory
release: { version: 4.18, arch: x86 }
imageset: imagesets/4.18.yaml
installConfig: install-config.yaml
pullSecret: '{"auths": {"quay.io": {"auth": "c2VjcmV0"}}}'
defaults:
  domain: edge.example.com
  cache: { mode: registy }
sites:
  - name: north
    network: { mac: "28:d2:44:d3:ef:1c", address: 192.168.86.45/24 }
  - name: south
    machine: { ramMiB: lots }
    network: { mac: "28:D2:44:D3:EF:1C", address: 192.168.86.255/24 }
`;
  expect(await faults(text)).toEqual([
    'factory.yaml:3:21  release.version: found 4.18, expected a release version, for example 4.18.9 (write it in quotes: "4.18")',
    'factory.yaml:3:33  release.arch: found "x86", expected one of x86_64, aarch64, s390x, ppc64le (did you mean x86_64?)',
    'factory.yaml:4:1  imageset: unknown key (did you mean imageSet?)',
    'factory.yaml:6:13  pullSecret: found text (44 characters, not shown), expected a map with file or env',
    'factory.yaml:9:18  defaults.cache.mode: found "registy", expected one of registry, preload (did you mean registry?)',
    'factory.yaml:14:24  sites[1].machine.ramMiB: found "lots", expected memory in MiB, from 1024, for example 32768',
    'factory.yaml:15:21  sites[1].network.mac: found the MAC address 28:d2:44:d3:ef:1c, which site north has at factory.yaml:12:21, expected one of its own',
    'factory.yaml:15:51  sites[1].network.address: found 192.168.86.255/24, which is the broadcast address of its /24, expected an address a machine can have',
  ]);
});

test('the example of docs/network.md', async () => {
  const [, example = ''] =
    /^```yaml\n(sites:\n.*?)^```$/ms.exec(readFileSync('docs/network.md', 'utf8')) ?? [];
  const { factory } = await load(`${HEAD}${example}`);
  expect(factory.sites.map(({ network }) => renderKeyfiles(network ?? never()).length)).toEqual([1, 5]);
});

function never(): never {
  throw new Error('no network');
}

describe('refuses', () => {
  const site = (keys: string): string => `${HEAD}sites:\n  - name: a\n    network: ${keys}\n`;
  const pair = (a: string, b: string): string => `${HEAD}sites:\n  - ${a}\n  - ${b}\n`;

  test.each<[string, string, string[]]>([
    [
      'a gateway outside the subnet',
      site('{ mac: "02:00:00:00:00:01", address: 10.0.0.5/24, gateway: 10.0.1.1 }'),
      [
        'factory.yaml:10:73  sites[0].network.gateway: found 10.0.1.1, expected an address in the subnet of 10.0.0.5/24',
      ],
    ],
    [
      "the machine's own address as gateway",
      site('{ mac: "02:00:00:00:00:01", address: 10.0.0.5/24, gateway: 10.0.0.5 }'),
      [
        "factory.yaml:10:73  sites[0].network.gateway: found 10.0.0.5, which is the machine's own address, expected that of the router",
      ],
    ],
    [
      'an interface that nothing names',
      site('{ address: 10.0.0.5/24 }'),
      [
        'factory.yaml:10:5  sites[0].network.mac: missing, expected mac (better: a wrong name boots without a network) or interface',
      ],
    ],
    [
      'an interface without an address',
      site('{ interfaces: [{ name: eth0 }] }'),
      [
        'factory.yaml:10:29  sites[0].network.interfaces[0].addresses[0]: missing, expected an address with its prefix length, for example 192.168.1.5/24',
      ],
    ],
    [
      'dhcp beside addresses',
      site('{ interfaces: [{ name: eth0, dhcp: true, addresses: [10.0.0.5/24] }] }'),
      [
        'factory.yaml:10:49  sites[0].network.interfaces[0].dhcp: found dhcp: true beside addresses, expected one or the other',
      ],
    ],
    [
      'both forms of a network',
      site('{ mac: "02:00:00:00:00:01", address: 10.0.0.5/24, interfaces: [{ name: e, dhcp: true }] }'),
      [
        'factory.yaml:10:64  sites[0].network.interfaces: found interfaces beside the flat keys of one interface, expected one form',
      ],
    ],
    [
      'what contradicts itself between interfaces, each at its place',
      site(
        '{ interfaces: [{ name: bond0, bond: { mode: 802.3ad, members: [eno1] }, addresses: [10.0.0.5/24] }, { name: eno1, dhcp: true }, { name: bond1, vlan: 7, dhcp: true }], dns: ["fd00::1"] }',
      ),
      [
        'factory.yaml:10:77  sites[0].network.interfaces[0].bond.members[0]: found eno1, which is an interface of its own in interfaces[1], expected a card that has nothing but the bond',
        'factory.yaml:10:150  sites[0].network.interfaces[2].name: found bond1, which is no network card and which nothing here makes, expected an interface with that name and bond',
      ],
    ],
    [
      'a name server that the machine cannot reach',
      site('{ mac: "02:00:00:00:00:01", address: 10.0.0.5/24, dns: [10.0.0.1, "fd00::1"] }'),
      [
        'factory.yaml:10:80  sites[0].network.dns[1]: found fd00::1, expected a server this machine can reach: no interface has IPv6',
      ],
    ],
    [
      'keys of an interface that are not there, and a bad VLAN',
      site('{ interfaces: [{ name: eth0, mtu: 9000, dhcp: true, vlan: 4095 }] }'),
      [
        'factory.yaml:10:43  sites[0].network.interfaces[0].mtu: unknown key, expected one of name, mac, addresses, gateway, vlan, bond, dhcp',
        'factory.yaml:10:72  sites[0].network.interfaces[0].vlan: found 4095, expected a VLAN number from 1 to 4094',
      ],
    ],
    [
      'certificates that expire on the shelf',
      `${HEAD}  certificates: { validFor: 7d }\nsites:\n  - { name: a, certificates: { shelfLife: 168h } }\n`,
      [
        'factory.yaml:10:43  sites[0].certificates.shelfLife: found 168h, expected less than validFor (7d): the stick must boot while its certificates are valid',
      ],
    ],
    [
      'a site without domain, disk and install-config',
      'apiVersion: edgefab.io/v1\nkind: Factory\nrelease: { version: 4.18.9 }\nsites:\n  - name: a\n',
      [
        'factory.yaml:5:5  sites[0].domain: missing, expected a DNS domain here or in defaults, for example edge.example.com',
        'factory.yaml:5:5  sites[0].installDisk: missing, expected byId or path of the disk to install on, here or in defaults',
        'factory.yaml:5:5  sites[0].ignition: missing, expected a ready Ignition config here, or installConfig in the factory',
      ],
    ],
    [
      'a release with neither version nor image',
      `${HEAD.replace('{ version: 4.18.9 }', '{ arch: x86_64 }')}sites: [{ name: a }]\n`,
      ['factory.yaml:3:1  release.version: missing, expected version or image'],
    ],
    [
      'a release image by tag',
      `${HEAD.replace('{ version: 4.18.9 }', '{ image: "quay.io/okd/scos:4.21" }')}sites: [{ name: a }]\n`,
      [
        'factory.yaml:3:19  release.image: found a release image by tag, expected one by digest (…@sha256:…): digest mirrors serve no tags',
      ],
    ],
    [
      'a release image without its registry',
      `${HEAD.replace('{ version: 4.18.9 }', '{ image: okd/scos }')}sites: [{ name: a }]\n`,
      ['factory.yaml:3:19  release.image: image reference "okd/scos" names no registry host'],
    ],
    [
      'no sites',
      `${HEAD}sites: []\n`,
      ['factory.yaml:8:8  sites: found an empty list, expected a list of sites, or from: FILE.csv'],
    ],
    [
      'a site twice',
      pair('name: a', 'name: a'),
      [
        'factory.yaml:10:11  sites[1].name: found the site name a, which site a has at factory.yaml:9:11, expected one of its own',
      ],
    ],
    [
      'a host name twice, short and full',
      pair('{ name: a, hostname: x }', '{ name: b, hostname: x.edge.example.com }'),
      [
        'factory.yaml:10:26  sites[1].hostname: found the host name x.edge.example.com, which site a has at factory.yaml:9:26, expected one of its own',
      ],
    ],
    [
      'a cluster name twice',
      pair('name: a', '{ name: b, clusterName: a }'),
      [
        'factory.yaml:10:29  sites[1].clusterName: found the cluster name a.edge.example.com, which site a has at factory.yaml:9:11, expected one of its own',
      ],
    ],
    [
      'an IPv6 address twice, written differently',
      pair(
        '{ name: a, network: { mac: "02:00:00:00:00:01", address: "fd00::5/64" } }',
        '{ name: b, network: { mac: "02:00:00:00:00:02", address: "fd00:0::0:5/48" } }',
      ),
      [
        'factory.yaml:10:62  sites[1].network.address: found the IP address fd00:0::0:5, which site a has at factory.yaml:9:62, expected one of its own',
      ],
    ],
    [
      'one card in the bonds of two sites',
      pair(
        '{ name: a, network: { interfaces: [{ name: bond0, dhcp: true, bond: { mode: balance-rr, members: ["02:00:00:00:00:01", eno1] } }] } }',
        '{ name: b, network: { interfaces: [{ name: bond0, dhcp: true, bond: { mode: balance-rr, members: [eno1, "02-00-00-00-00-01"] } }] } }',
      ),
      [
        'factory.yaml:10:109  sites[1].network.interfaces[0].bond.members[1]: found the MAC address 02:00:00:00:00:01, which site a has at factory.yaml:9:103, expected one of its own',
      ],
    ],
    [
      'a MAC address from the defaults',
      `${HEAD}  network: { mac: "02:00:00:00:00:01" }\nsites:\n  - { name: a, network: { address: 10.0.0.5/24 } }\n  - { name: b, network: { address: 10.0.0.6/24 } }\n`,
      [
        'factory.yaml:8:19  defaults.network.mac: found the MAC address 02:00:00:00:00:01, which site a has at factory.yaml:8:19, expected one of its own',
      ],
    ],
    [
      'a CSV that is not there',
      `${HEAD}sites: { from: none.csv }\n`,
      [
        "factory.yaml:8:16  sites.from: cannot read none.csv: ENOENT: no such file or directory, open 'none.csv'",
      ],
    ],
  ])('%s', async (_name, text, want) => {
    expect(await faults(text)).toEqual(want);
  });

  test.each<[string, (folder: string) => string, RegExp]>([
    ['a factory that is not there', (folder) => join(folder, 'none.yaml'), /ENOENT/],
    ['a folder', (folder) => folder, /it is not a file/],
    [
      'bytes that are not UTF-8',
      (folder) => {
        writeFileSync(join(folder, 'latin1.yaml'), Buffer.from([0x6e, 0xe4]));
        return join(folder, 'latin1.yaml');
      },
      /not UTF-8/,
    ],
  ])('%s', async (_name, path, want) => {
    const error: unknown = await loadFactory(path(factoryFolder({})), host).catch(
      (thrown: unknown) => thrown,
    );
    expect(error).toMatchObject({
      code: 'FILE_UNREADABLE',
      exitCode: 3,
      message: expect.stringMatching(want),
    });
  });
});

test('missing files are told together, with the places that name them', async () => {
  const { folder, factory } = await load(
    `${HEAD}imageSet: set.yaml\nregistry: { ca: ca }\nsites:\n  - { name: a, overlays: [x.bu, y.bu] }\n  - { name: b, overlays: [x.bu] }\n`,
    { 'set.yaml': '', 'y.bu': '' },
  );
  mkdirSync(join(folder, 'ca'));
  const missing = await missingFiles(factory);
  expect(missing.map(({ path, place }) => [path, place.line, place.field])).toEqual([
    [join(folder, 'install-config.yaml'), 4, 'installConfig'],
    [join(folder, 'x.bu'), 11, 'sites[0].overlays[0]'],
  ]);
});

test('two hundred sites load fast', async () => {
  const site = (n: number): string =>
    `  - name: site-${n}\n    machine: { ramMiB: 32768 }\n    network: { mac: "02:00:00:00:00:${n.toString(16).padStart(2, '0')}", address: 10.0.0.${n}/16, gateway: 10.0.255.1, dns: [10.0.255.2] }\n`;
  const text = `${HEAD}sites:\n${Array.from({ length: 200 }, (_, n) => site(n + 1)).join('')}`;
  const folder = factoryFolder({ 'factory.yaml': text });
  const start = performance.now();
  const { sites } = await loadFactory(join(folder, 'factory.yaml'), host);
  const ms = Math.round(performance.now() - start);
  expect(sites).toHaveLength(200);
  expect(ms).toBeLessThan(5_000);
});
