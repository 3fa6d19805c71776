import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { loadFactory } from '../../src/factory/load.ts';
import { parseSitesCsv } from '../../src/factory/sites-csv.ts';
import { formatFault } from '../../src/formats/faults-error.ts';
import { factoryFolder } from '../support/factory-folder.ts';

function entries(text: string) {
  const { entries: found, faults } = parseSitesCsv(text, 'sites.csv');
  expect(faults).toEqual([]);
  return found.map(({ keys }) => keys);
}

describe('reads', () => {
  test.each<[string, string, unknown[]]>([
    [
      'dotted columns, numbers, booleans, lists, empty cells',
      'name,machine.ramMiB,network.mac,network.address,network.dns,cache.keepOnNode,installDisk.byId\r\n' +
        'a,32768,02:00:00:00:00:0A,10.0.0.5/24,10.0.0.1; fd00::1,false,ata-X\r\n' +
        'b,,,,,,\r\n',
      [
        {
          name: 'a',
          machine: { ramMiB: 32768 },
          network: { mac: '02:00:00:00:00:0a', address: '10.0.0.5/24', dns: ['10.0.0.1', 'fd00::1'] },
          cache: { keepOnNode: false },
          installDisk: { byId: 'ata-X' },
        },
        { name: 'b' },
      ],
    ],
    [
      'indexes',
      'name,network.interfaces.0.name,network.interfaces.0.addresses,network.interfaces.1.name,network.interfaces.1.dhcp\na,eth0,10.0.0.5/24,eth1,true\n',
      [
        {
          name: 'a',
          network: {
            interfaces: [
              { name: 'eth0', addresses: ['10.0.0.5/24'] },
              { name: 'eth1', dhcp: true },
            ],
          },
        },
      ],
    ],
    [
      'quoted cells',
      '"name","kargs.append"\n"a","a=""b,c"";quiet"\n',
      [{ name: 'a', kargs: { append: ['a="b,c"', 'quiet'] } }],
    ],
    ['a number as a name', 'name\n12\n', [{ name: '12' }]],
  ])('%s', (_name, text, want) => {
    expect(entries(text)).toEqual(want);
  });
});

describe('refuses', () => {
  test.each<[string, string, string[]]>([
    ['nothing', '', ['sites.csv:1  no header row']],
    ['a header alone', 'name\n', ['sites.csv:1  no sites after the header row']],
    [
      'unknown columns, once',
      'name,netwrok.mac,flavour\na,x,y\nb,x,y\n',
      [
        'sites.csv:1:netwrok.mac  unknown column (did you mean network.mac?)',
        expect.stringMatching(
          /^sites.csv:1:flavour {2}unknown column, expected some of name, clusterName, /,
        ) as unknown as string,
      ],
    ],
    [
      'a column for a map',
      'name,network\na,x\n',
      ['sites.csv:1:network  found a column for a whole map, expected one for each of its keys'],
    ],
    ['a column twice', 'name,domain,domain\na,a.b,c.d\n', ['sites.csv:1:domain  found this column twice']],
    [
      'a huge index',
      'name,network.interfaces.99.mac\na,x\n',
      [expect.stringMatching(/unknown column/) as unknown as string],
    ],
    ['too few cells', 'name,domain\na\n', ['sites.csv:2  found 1 cells, expected 2']],
    [
      'bad cells, all of them',
      'name,machine.ramMiB,network.address,cache.keepOnNode,network.dns\nA,lots,10.0.0.0/24,yes,10.0.0.1;x\n',
      [
        'sites.csv:2:cache.keepOnNode  found "yes", expected true or false',
        'sites.csv:2:machine.ramMiB  found "lots", expected memory in MiB, from 1024, for example 32768',
        'sites.csv:2:name  found "A", expected a name of 1 to 63 lower-case letters, digits and hyphens, for example shop-12',
        'sites.csv:2:network.address  found 10.0.0.0/24, which is the network address of its /24, expected an address a machine can have',
        'sites.csv:2:network.dns  found "x", expected an IPv4 or IPv6 address, for example 192.168.1.1',
      ],
    ],
    [
      'a missing name',
      'name,domain\n,a.b\n',
      [
        'sites.csv:2:name  missing, expected a name of 1 to 63 lower-case letters, digits and hyphens, for example shop-12',
      ],
    ],
    [
      'a prototype column',
      'name,__proto__.x\na,b\n',
      [expect.stringMatching(/unknown column/) as unknown as string],
    ],
    [
      'a broken quote',
      'name\n"a\n',
      ['sites.csv:2  a quoted field that never ends', 'sites.csv:1  no sites after the header row'],
    ],
    [
      'control characters in a header',
      'name,\u001b[31mx\na,b\n',
      [expect.stringMatching(/^sites.csv:1:\\u001b\[31mx {2}unknown/) as unknown as string],
    ],
  ])('%s', (_name, text, want) => {
    const lines = parseSitesCsv(text, 'sites.csv').faults.map(formatFault);
    expect(lines.toSorted()).toEqual(want.toSorted());
  });
});

test('sites of a factory from a CSV, defaults under them, faults beside those of the factory', async () => {
  const factory = `apiVersion: edgefab.io/v1
kind: Factory
release: { version: 4.18.9 }
installConfig: install-config.yaml
defaults: { domain: edge.example.com, installDisk: { path: /dev/sda }, network: { gateway: 10.0.0.1 } }
sites: { from: lists/sites.csv }
`;
  const good = factoryFolder({
    'factory.yaml': factory,
    'lists/sites.csv': 'name,network.mac,network.address,overlays\na,02:00:00:00:00:01,10.0.0.5/24,x.bu\n',
  });
  const loaded = await loadFactory(join(good, 'factory.yaml'), { homeDir: '/' });
  expect(loaded.sites[0]).toMatchObject({
    name: 'a',
    installDisk: { path: '/dev/sda' },
    network: { interfaces: [{ gateway: '10.0.0.1', addresses: ['10.0.0.5/24'] }] },
    overlays: [join(good, 'x.bu')],
    place: { file: 'lists/sites.csv', line: 2 },
  });

  const bad = factoryFolder({
    'factory.yaml': factory.replace('4.18.9', '4.x'),
    'lists/sites.csv':
      'name,network.mac,network.address\na,02:00:00:00:00:01,10.0.0.5/24\nb,02:00:00:00:00:01,10.0.1.5/24\nc,,10.0.0.6/24\n',
  });
  const path = join(bad, 'factory.yaml');
  const error: unknown = await loadFactory(path, { homeDir: '/' }).catch((thrown: unknown) => thrown);
  expect(error).toHaveProperty(
    'message',
    [
      `${path} has 4 faults:`,
      `  ${path}:3:21  release.version: found "4.x", expected a release version, for example 4.18.9`,
      `  ${path}:5:92  defaults.network.gateway: found 10.0.0.1, expected an address in the subnet of 10.0.1.5/24`,
      '  lists/sites.csv:3:network.mac  found the MAC address 02:00:00:00:00:01, which site a has at lists/sites.csv:2:network.mac, expected one of its own',
      '  lists/sites.csv:4:network.mac  missing, expected mac (better: a wrong name boots without a network) or interface',
    ].join('\n'),
  );
});
