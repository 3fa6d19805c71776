import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import type { NetworkInterface } from '../../../src/boot/network/machine-network.ts';
import { renderKeyfiles } from '../../../src/boot/network/render-keyfiles.ts';
import { activate, activateSkip, canActivate } from '../../support/network-manager.ts';
import { tempFolder } from '../../support/temp-folder.ts';
import { MAC, network, OTHER_MAC } from './shapes.ts';

const BOTH = { addresses: ['192.168.86.45/24', 'fd00::5/64'], gateway: '192.168.86.1' };

describe.skipIf(!canActivate)(`the real NetworkManager on a card called wan${activateSkip}`, () => {
  test.each<[string, Partial<NetworkInterface>[], object]>([
    [
      'takes the card by its MAC address, whatever its name',
      [{ mac: MAC, ...BOTH }],
      {
        addresses: BOTH.addresses,
        gateway: BOTH.gateway,
        metric: 100,
        profile: 'edgefab-28-d2-44-d3-ef-1c',
      },
    ],
    [
      "takes the card's own profile of two",
      [
        { mac: OTHER_MAC, addresses: ['10.0.0.5/24'], gateway: '10.0.0.1' },
        { name: 'eno1', mac: MAC, ...BOTH },
      ],
      {
        addresses: BOTH.addresses,
        gateway: BOTH.gateway,
        metric: 101,
        profile: 'edgefab-28-d2-44-d3-ef-1c',
      },
    ],
    [
      'takes the card by its name',
      [{ name: 'wan', addresses: ['10.0.1.5/24', '10.0.0.5/24'], gateway: '10.0.0.1' }],
      { addresses: ['10.0.1.5/24', '10.0.0.5/24'], gateway: '10.0.0.1', profile: 'edgefab-wan' },
    ],
  ])('%s', (_name, interfaces, want) => {
    const folder = tempFolder();
    for (const { name, text } of renderKeyfiles(network(interfaces))) writeFileSync(join(folder, name), text);
    expect(activate(folder, MAC)).toMatchObject(want);
  });
});
